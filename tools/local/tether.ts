/**
 * Preloaded into each child (`node --import`): ends the child's process group when the parent is gone. Without it a parent
 * that is killed would leave wrangler and workerd running, and their ports in use.
 */
import process from "node:process";

const parentId = process.ppid;

/** Time until the system has given the child another parent after the channel closed. */
const SETTLED_MS = 300;

process.once("disconnect", () => {
  setTimeout(() => {
    // Wrangler closes the channel itself when it ends; the parent is then still there.
    if (process.ppid === parentId) return;
    try {
      process.kill(-process.pid, "SIGKILL");
    } catch {
      // Not a group's leader: the leader ends it, or the system has no process groups.
      process.exit(1);
    }
  }, SETTLED_MS).unref();
});

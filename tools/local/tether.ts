/**
 * Preloaded into each child (`node --import`): ends the child's process group when the parent is gone, however it went.
 * Without it a parent that is killed outright would leave wrangler and workerd running and the ports taken.
 */
import process from "node:process";

const parentId = process.ppid;

/** Between the channel's end and the moment when the system has given the child another parent. */
const SETTLED_MS = 300;

process.once("disconnect", () => {
  setTimeout(() => {
    // Wrangler also closes the channel itself as it ends; then there is nobody to outlive.
    if (process.ppid === parentId) return;
    try {
      process.kill(-process.pid, "SIGKILL");
    } catch {
      // Not the leader of a group: then the leader ends it, or there are no groups here.
      process.exit(1);
    }
  }, SETTLED_MS).unref();
});

/** The web console: a client of the records API, on the same host. */
import { render } from "preact";
import { App } from "./app/app.tsx";
import { applyStoredTheme } from "./app/brand.tsx";
import { restorePage } from "./app/return-to.ts";

applyStoredTheme();
restorePage();
const place = document.getElementById("console");
if (place !== null) render(<App />, place);

// The engine, in a worker that dies at a given write: what reaches the browser's storage is counted, and from the chosen write
// on nothing does any more. It stands beside the engine's own module, which knows nothing of it.

import "./fault-writes.js";
import "./engine.js";

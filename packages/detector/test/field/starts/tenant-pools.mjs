// Runs the layers per tenant of effect's documentation in a worker: a new tenant every 50 ms, each pool idle for a minute at most.
import { Worker } from "node:worker_threads"

const worker = new Worker(new URL("tenant-pools.worker.mjs", import.meta.url))
worker.on("message", (text) => console.log(text))

/**
 * TaskManager, Mailbox, ConnectionPool and ManagedStream compared with Effect's own modules, other libraries, and asyncio.
 *
 *     npm run bench:core [-- <part of a case's name> …]
 */
import { benchmark } from "../harness.ts"
import { messages } from "./mailbox.ts"
import { pools } from "./pool.ts"
import { whyNoPython } from "./python.ts"
import { generators } from "./streams.ts"
import { memory, tasks } from "./tasks.ts"

const reason = whyNoPython()
if (reason !== undefined) process.stderr.write(`asyncio is skipped: ${reason}\n`)

await benchmark(import.meta.url, [...tasks, ...messages, ...pools, ...generators, memory])

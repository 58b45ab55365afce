/** `node run.ts <version>`: the lab over the version of Effect that this file finds. Exit code 1 when a primitive fails. */
import { main } from "./main.ts"

const failed = await main(process.argv[2] ?? "")
process.exitCode = failed.length === 0 ? 0 : 1

// Runs examples, one after the other, in one process: Effect is loaded once. An example has ended when nothing is left that could
// wake this process, as with any program.
let current

const fail = (error) => current.failure ??= error instanceof Error ? error.stack ?? error.message : String(error)
process.on("uncaughtException", fail)
process.on("unhandledRejection", fail)

process.on("message", (file) => {
  current = { imported: false }
  process.channel.unref()
  import(file).then(() => current.imported = true, fail)
})

process.on("beforeExit", (code) => {
  if (code !== 0) fail(`exit code ${code}`)
  if (!current.imported) fail("waits at its top level for something that never comes")
  process.exitCode = undefined
  process.channel.ref()
  process.send(current.failure ?? null)
})

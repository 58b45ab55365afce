// Lets a machine that has nothing but Node 20 and npm run this workspace: installs the pinned pnpm's dependencies once, then hands a
// script of package.json ("node <file> ...") to the pinned Node. Everything it says goes to stderr: stdout belongs to the script.
import { spawn, spawnSync } from "node:child_process"
import { copyFileSync, existsSync, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { isatty } from "node:tty"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const [name, ...args] = process.argv.slice(2)
const { packageManager, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const lockfile = join(root, "pnpm-lock.yaml")
const stamp = join(root, "node_modules/.installed-lock.yaml")

if (!existsSync(stamp) || !readFileSync(stamp).equals(readFileSync(lockfile))) {
  console.error("Installing dependencies ...")
  const options = { cwd: root, encoding: "utf8", shell: process.platform === "win32" }
  const install = spawnSync("npx", ["--yes", packageManager, "install", "--frozen-lockfile"], options)
  if (install.status !== 0) {
    console.error(install.error ?? `${install.stdout}${install.stderr}`)
    process.exit(install.status ?? 1)
  }
  copyFileSync(lockfile, stamp)
}

const [, file, ...own] = scripts[name].split(" ")
const bin = join(root, "node_modules/.bin")
const child = spawn(join(root, "node_modules/node/bin/node"), [join(root, file), ...own, ...args], {
  // A program named on the command line is meant relative to where the user stands, not to the workspace.
  cwd: name === "cli" ? process.env.INIT_CWD ?? process.cwd() : root,
  env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  stdio: "inherit"
})
const terminal = [0, 1, 2].some((descriptor) => isatty(descriptor))
for (const signal of ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR2"]) {
  // A terminal sends Ctrl-C to both processes; a second one from here would look like a user who has lost patience.
  const hasIt = terminal && (signal === "SIGINT" || signal === "SIGQUIT")
  process.on(signal, () => hasIt || child.kill(signal))
}
child.on("error", (error) => {
  console.error(error)
  process.exitCode = 1
})
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code)
  // To die as the child died is the only way to tell npm and the shell exactly what happened.
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})

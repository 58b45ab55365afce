// Builds the packages, packs them as they would be published, and uses the tarballs the way a user's tools would.
// Leaves them in .tmp/packages. `pnpm run packages`
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { compiler, root, script, step } from "./steps.mjs"

const names = ["core", "detector"]
const home = (name) => join(root, "packages", name)
const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
const out = join(root, ".tmp/packages")
const tarballOf = (name) => join(out, `${name}.tgz`)
const installed = (name) => join(out, "node_modules/@fiberscope", name)

const build = async () => {
  const built = await step("build", compiler(), ["-b", "--force", ...names.map(home)])
  for (const name of names) {
    const [src, dist] = [join(home(name), "src"), join(home(name), "dist")]
    // Others may be reading dist, so it is never emptied; only what has lost its source goes.
    for (const file of globSync("**/*.{js,js.map,d.ts,d.ts.map}", { cwd: dist })) {
      const source = file.replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts")
      if (!existsSync(join(src, source)) && !existsSync(join(src, file))) rmSync(join(dist, file))
    }
    // What is not compiled but read at run time, such as a page's style sheet.
    for (const file of globSync("**/*.*", { cwd: src })) {
      if (!file.endsWith(".ts")) cpSync(join(src, file), join(dist, file))
    }
  }
  return built
}

/** Unpacks a tarball where it would be installed, with the dependencies this workspace has for it. */
const install = async (name) => {
  const folder = installed(name)
  mkdirSync(folder, { recursive: true })
  const unpacked = await step(`${name}: unpack`, "tar", ["-xzf", tarballOf(name), "-C", folder, "--strip-components=1"])
  const { dependencies, peerDependencies } = manifestOf(home(name))
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    const link = join(out, "node_modules", dependency)
    if (dependency.startsWith("@fiberscope/") || existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(home(name), "node_modules", dependency), link)
  }
  return unpacked
}

/** What a user can import. */
const modulesOf = (name) =>
  Object.keys(manifestOf(home(name)).publishConfig.exports)
    .filter((path) => path !== "./package.json")
    .map((path) => path.slice("./".length))

const inspect = async (name) => {
  const attw = [
    script("@arethetypeswrong/cli", "attw"),
    tarballOf(name),
    "--profile",
    "esm-only",
    "--no-definitely-typed"
  ]
  return [
    await step(`${name}: publint`, process.execPath, [script("publint"), "run", tarballOf(name), "--strict"]),
    await step(`${name}: attw`, process.execPath, [...attw, "--no-emoji", "--entrypoints", ...modulesOf(name)])
  ]
}

/** Node does not strip types in `node_modules`, so this sees what the workspace never does: the compiled files. */
const load = (name) => {
  // To import these two is to use them: one observes the process, the other reads its arguments.
  const modules = modulesOf(name).filter((module) => module !== "agent" && module !== "cli")
  const program = `
    import { ok, rejects } from "node:assert/strict"
    const modules = ${JSON.stringify(modules)}
    ok(modules.length > 0, "nothing to load")
    for (const module of modules) await import("@fiberscope/${name}/" + module)
    await rejects(import("@fiberscope/${name}/internal/anything"), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" })`
  return step(`${name}: load`, process.execPath, ["--input-type=module", "--eval", program], { cwd: out })
}

/** One result for each step: true when it passed. */
export const packages = async () => {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const results = [await build()]
  if (!results[0]) return results
  const { packageManager } = manifestOf(root)
  for (const name of names) {
    const pack = ["--yes", packageManager, "pack", "--out", tarballOf(name)]
    results.push(await step(`${name}: pack`, "npx", pack, { cwd: home(name) }))
    if (results.at(-1)) results.push(await install(name))
  }
  if (!results.every((passed) => passed)) return results
  for (const name of names) results.push(...await inspect(name), await load(name))
  const main = join(installed("detector"), manifestOf(installed("detector")).bin.fiberscope)
  results.push(await step("detector: bin", process.execPath, [main, "--version"], { cwd: out }))
  return results
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await packages()
  process.exitCode = results.every((passed) => passed) ? 0 : 1
}

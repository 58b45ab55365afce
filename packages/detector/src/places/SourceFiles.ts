/**
 * Reads sources of the observed program for names and excerpts, and no other files.
 *
 * **Details**
 *
 * Names of files come from the program, from its source maps or from a recording, so each is checked. A file is read if it is a regular
 * file of at most 16 MiB, if it is `package.json` or has the extension of a source or a source map (`.ts`, `.js`, `.tsx`, `.mjs`,
 * `.map`, …), and if, with all symbolic links resolved, it is below a folder of the program:
 *
 * - `recorded`: below the working folder that the recording names, unless that is the root of the file system;
 * - `running`: below the working folder, below the project of the working folder or of the main file (the nearest folder above with a
 *   repository or a workspace, else with a `package.json`, else the folder itself), or below a package that is linked from a
 *   `node_modules` of these, as packages of a workspace are. The user has just started this program, which can read these files too.
 *
 * Names and excerpts from other files are missing in the report. All sources together have at most 256 MiB.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync
} from "node:fs"
import { dirname, isAbsolute, join, parse, sep } from "node:path"
import type { Hello } from "../agent/Protocol.ts"

/**
 * **Details**
 *
 * - `read`: the text of a file, if it may be read;
 * - `met`: adds the folders of a process, as it names them when it introduces itself.
 */
export interface SourceFiles {
  readonly read: (file: string) => string | undefined
  readonly met: (process: Pick<Hello, "argv" | "cwd">) => void
}

const MiB = 1024 * 1024
const largest = 16 * MiB
const mostBytes = 256 * MiB
const mostFiles = 5000
const mostFolders = 256

const isSourceName = (file: string): boolean => /(?:\.(?:[cm]?[jt]sx?|vue|svelte|map)|[\\/]package\.json)$/.test(file)

/** Makes the reader for a running program, or for a recording, which is an untrusted file. */
export const make = (trust: "running" | "recorded"): SourceFiles => {
  const folders = new Set<string>()
  const texts = new Map<string, string>()
  let missing = new Set<string>()
  let bytes = 0
  /** Folders whose linked packages have been searched. */
  const looked = new Set<string>()

  const allow = (folder: string): void => {
    const real = realOf(folder)
    if (real === undefined || real === parse(real).root || folders.size >= mostFolders) return
    if (folders.has(real)) return
    folders.add(real)
    missing = new Set()
  }

  const isAllowed = (file: string): boolean => {
    if (isBelowAny(file, folders)) return true
    if (trust === "recorded") return false
    for (const folder of folders) {
      if (looked.has(folder)) continue
      looked.add(folder)
      // A linked package may have its own links: iterating over a set includes folders that are added meanwhile.
      linkedFrom(folder).forEach(allow)
    }
    return isBelowAny(file, folders)
  }

  const load = (file: string): string | undefined => {
    if (!isAbsolute(file) || !isSourceName(file) || texts.size >= mostFiles) return undefined
    const real = realOf(file)
    if (real === undefined || !isSourceName(real) || isSpecial(real) || !isAllowed(real)) return undefined
    const content = contentOf(real, Math.min(largest, mostBytes - bytes))
    bytes += content?.length ?? 0
    return content?.toString("utf8")
  }

  return {
    met: ({ argv, cwd }) => {
      if (isAbsolute(cwd)) allow(cwd)
      if (trust === "recorded") return
      if (isAbsolute(cwd)) allow(projectOf(cwd))
      const main = argv[1] === undefined || !isAbsolute(argv[1]) ? undefined : realOf(argv[1])
      if (main !== undefined) allow(projectOf(dirname(main)))
    },
    read: (file) => {
      const known = texts.get(file)
      if (known !== undefined || missing.has(file)) return known
      const text = load(file)
      if (text !== undefined) texts.set(file, text)
      else if (missing.size < mostFiles) missing.add(file)
      return text
    }
  }
}

const realOf = (file: string): string | undefined => {
  try {
    return realpathSync.native(file)
  } catch {
    return undefined
  }
}

const isBelowAny = (file: string, folders: Iterable<string>): boolean => {
  for (const folder of folders) if (file.startsWith(folder + sep)) return true
  return false
}

/** Whether a file is in a system folder, where nothing is a source. */
const isSpecial = (file: string): boolean => /^\/(?:proc|sys|dev)\//.test(file)

/** The content of a regular file of at most `most` bytes. Opening never waits, even if the file has become a pipe since the check. */
const contentOf = (file: string, most: number): Buffer | undefined => {
  try {
    if (!statSync(file).isFile()) return undefined
    const fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0))
    try {
      const stats = fstatSync(fd)
      const { size } = stats
      if (!stats.isFile() || size > most) return undefined
      const content = Buffer.alloc(size)
      let read = 0
      for (let more = 1; more > 0 && read < size; read += more) more = readSync(fd, content, read, size - read, read)
      return content.subarray(0, read)
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
}

/** The folder of the repository, the workspace or the package that contains a folder. An installed package is not a project. */
const projectOf = (folder: string): string => {
  const installed = folder.search(/[\\/]node_modules(?:[\\/]|$)/)
  let nearest: string | undefined
  for (let at = installed < 0 ? folder : folder.slice(0, installed); at !== parse(at).root; at = dirname(at)) {
    const manifest = join(at, "package.json")
    if (existsSync(join(at, ".git")) || existsSync(join(at, "pnpm-workspace.yaml")) || isWorkspace(manifest)) return at
    if (nearest === undefined && existsSync(manifest)) nearest = at
  }
  return nearest ?? (installed < 0 ? folder : folder.slice(0, installed))
}

const isWorkspace = (manifest: string): boolean => {
  try {
    return "workspaces" in (JSON.parse(readFileSync(manifest, "utf8")) as object)
  } catch {
    return false
  }
}

/** The folders of packages that are linked, rather than installed, into the `node_modules` of a folder. */
const linkedFrom = (folder: string): ReadonlyArray<string> => {
  const modules = join(folder, "node_modules")
  const scopes = namesIn(modules).filter((name) => name.startsWith("@")).map((name) => join(modules, name))
  return [modules, ...scopes].flatMap((parent) =>
    linksIn(parent).flatMap((link) => {
      const real = realOf(link)
      return real === undefined || /[\\/]node_modules[\\/]/.test(real) || !isFolder(real) ? [] : [real]
    })
  )
}

const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const linksIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isSymbolicLink())
      .map(({ name }) => join(folder, name))
  } catch {
    return []
  }
}

const isFolder = (path: string): boolean => {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

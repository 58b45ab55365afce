/** Places in the source, in the form that findings use. */
import * as Schema from "effect/Schema"
import type { Place } from "../agent/Protocol.ts"
import { longest, oneLine } from "../text/Untrusted.ts"

/**
 * A place in the source of the program. `line` and `column` are 1-based, and absent if only a name is known.
 *
 * @category models
 */
export const Site = Schema.Struct({
  name: Schema.String,
  file: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int),
  column: Schema.optionalKey(Schema.Int)
})

/**
 * A place in the source of the program.
 *
 * @category models
 */
export type Site = typeof Site.Type

/**
 * The site of a place: the URL becomes a path, and an anonymous function gets the name `(anonymous)`.
 *
 * @category constructors
 */
export const siteOf = ({ column, file, line, name }: Place): Site => ({
  name: name === "" ? "(anonymous)" : name,
  ...(file === undefined || file === "" ? {} : { file: pathOf(file) }),
  ...(line === undefined ? {} : { line }),
  ...(column === undefined ? {} : { column })
})

/**
 * The path of a file that may be given as a URL.
 *
 * @category constructors
 */
export const pathOf = (file: string): string => {
  if (!file.startsWith("file://")) return file
  try {
    return decodeURIComponent(new URL(file).pathname)
  } catch {
    return file
  }
}

/**
 * Describes a site within a sentence as `name (file:line)`. A long name is cut, and only the last two parts of the path are shown.
 *
 * @category rendering
 */
export const describeSite = ({ column, file, line, name }: Site): string => {
  const shown = oneLine(name, longest.name)
  if (file === undefined) return shown
  const short = oneLine(file.split(/[\\/]/).slice(-2).join("/"), longest.name)
  const at = `${short}:${line ?? "?"}${column === undefined ? "" : `:${column}`}`
  return name === "(anonymous)" ? at : `${shown} (${at})`
}

/**
 * The function of Effect that the program called to allocate: the outermost named frame in a public module of Effect. The stack is
 * innermost first. Under the run loop there are no frames of the program, and this is the name that users know.
 *
 * @category constructors
 */
export const effectApi = (stack: ReadonlyArray<Place>): Place | undefined => {
  const own = stack.filter(({ file, name }) =>
    name !== "" && file !== undefined &&
    /[\\/]effect[\\/]dist[\\/](?!internal[\\/]|(?:Scheduler|Fiber|Runtime|ManagedRuntime|Function)\.js)/.test(file)
  )
  const outermost = own.at(-1)
  return outermost === undefined ? undefined : { ...outermost, name: outermost.name.replace(/Unsafe$/, "") }
}

/**
 * The name of a library's function as its users know it: `Metric.update`, `Scope.addFinalizer`.
 *
 * @category rendering
 */
export const libraryName = ({ file, name }: Site): string => {
  const match = file === undefined
    ? null
    : /^.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/](?:.*[\\/])?([^\\/]+?)\.[cm]?[jt]s$/.exec(file)
  const shown = oneLine(name, longest.name)
  if (match === null) return shown
  const [, library, module] = match
  return library === "effect" ? `${module!}.${shown} of effect` : `${shown} of ${library!}`
}

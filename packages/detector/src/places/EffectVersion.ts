/**
 * Finds the version of the effect in a bundle. The runtime does not contain it, so it is taken from paths in the bundle's source map or
 * in the comments of bundlers.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const versioned = /[\\/]effect@(\d+\.\d+\.\d+[-.\w]*?)(?:_[^\\/"]*)?[\\/]node_modules[\\/]effect[\\/]/
const packageFolder = /^(.*[\\/]node_modules[\\/]effect)[\\/](?:dist|src)[\\/]/

const Manifest = Schema.fromJsonString(Schema.Struct({ name: Schema.Literal("effect"), version: Schema.String }))
const decode = Schema.decodeUnknownOption(Manifest)

/**
 * The version, if the paths show it: in the name of a package manager's folder, or in the manifest of the package that the source map
 * points to. `sources` are the full paths of the source map.
 */
export const effectVersion = (
  bundle: string,
  sources: ReadonlyArray<string>,
  read: (file: string) => string | undefined
): string | undefined => {
  for (const path of sources) {
    const named = versioned.exec(path)?.[1]
    if (named !== undefined) return named
    const folder = packageFolder.exec(path)?.[1]
    const manifest = folder === undefined ? undefined : read(`${folder}/package.json`)
    const found = manifest === undefined ? undefined : Option.getOrUndefined(decode(manifest))
    if (found !== undefined) return found.version
  }
  return versioned.exec(bundle)?.[1]
}

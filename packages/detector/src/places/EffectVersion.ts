/**
 * The version of the effect that a bundle contains. The runtime itself does not say it, so it is taken from paths: of the bundle's
 * source map, or of the comments that bundlers leave.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const versioned = /[\\/]effect@(\d+\.\d+\.\d+[-.\w]*?)(?:_[^\\/"]*)?[\\/]node_modules[\\/]effect[\\/]/
const packageFolder = /^(.*[\\/]node_modules[\\/]effect)[\\/](?:dist|src)[\\/]/

const Manifest = Schema.fromJsonString(Schema.Struct({ name: Schema.Literal("effect"), version: Schema.String }))
const decode = Schema.decodeUnknownOption(Manifest)

/**
 * The version, if the paths say it: a package manager may have it in the name of a folder, else the package is where the source map
 * says it was. `sources` are the paths of the source map, in full.
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

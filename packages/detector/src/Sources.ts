/**
 * What a place in a running program is called in its sources: a path instead of a URL, through source maps, with a name.
 *
 * @since 0.1.0
 */
import type { Place } from "./agent/Protocol.ts"
import { makeNamer } from "./EnclosingName.ts"
import { pathOf } from "./Site.ts"
import * as SourceMaps from "./SourceMaps.ts"

/**
 * Makes the function that resolves places. It reads the files that are mentioned, each once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): (place: Place) => Place => {
  const original = SourceMaps.make()
  const named = makeNamer()
  const known = new Map<string, Place>()
  return (place) => {
    const key = `${place.name} ${place.file}:${place.line}:${place.column}`
    let resolved = known.get(key)
    if (resolved === undefined) {
      resolved = named(original(place.file === undefined ? place : { ...place, file: pathOf(place.file) }))
      known.set(key, resolved)
    }
    return resolved
  }
}

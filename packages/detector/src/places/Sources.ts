/** Translates places of a running program to its sources: a path instead of a URL, through source maps, with a name. */
import type { Place } from "../agent/Protocol.ts"
import { declarationIn } from "./Declarations.ts"
import { effectVersion } from "./EffectVersion.ts"
import { makeNamer } from "./EnclosingName.ts"
import { pathOf } from "./Site.ts"
import * as SourceFiles from "./SourceFiles.ts"
import * as SourceMaps from "./SourceMaps.ts"

/** The sources of a program: the translation of places, and the texts that may be read. */
export interface Sources extends SourceFiles.SourceFiles {
  readonly resolve: (place: Place) => Place
  /** The declaration of a variable in the file of a resolved place, as seen from there. */
  readonly declaration: (variable: string, near: Place) => Place | undefined
  /** The version of the effect in a bundle, if its paths show it. */
  readonly effectVersion: (bundle: string) => string | undefined
}

const mostPlaces = 200_000

/** Makes the sources of a running or a recorded program. Each file is read at most once, and only if it may be read. */
export const make = (trust: "running" | "recorded"): Sources => {
  const files = SourceFiles.make(trust)
  const maps = SourceMaps.make(files.read)
  const named = makeNamer(files.read)
  const known = new Map<string, Place>()
  return {
    ...files,
    effectVersion: (bundle) => {
      const file = pathOf(bundle)
      return effectVersion(files.read(file) ?? "", maps.sourcesOf(file), files.read)
    },
    declaration: (variable, near) => {
      const text = near.file === undefined ? undefined : files.read(near.file)
      return text === undefined ? undefined : declarationIn(text, variable, near)
    },
    resolve: (place) => {
      const key = `${place.name} ${place.file}:${place.line}:${place.column}`
      let resolved = known.get(key)
      if (resolved === undefined) {
        resolved = named(maps.original(place.file === undefined ? place : { ...place, file: pathOf(place.file) }))
        if (known.size < mostPlaces) known.set(key, resolved)
      }
      return resolved
    }
  }
}

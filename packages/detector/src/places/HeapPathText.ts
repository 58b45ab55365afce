/** A path in the heap in words: from the variable or field that a person can find, to the objects that accumulate. */
import { isLibraryFile } from "@fiberscope/core/FiberSite"
import type { HeapPath, HeapStep } from "../agent/Protocol.ts"
import { siteOf } from "./Site.ts"
import type { Site } from "./Site.ts"

/** A path as a person reads it. */
export interface DescribedPath {
  /** Names of references and classes, from the keeper to a member. */
  readonly names: ReadonlyArray<string>
  /** The variable of the program with which the path starts; where there is none, the field that holds the container. */
  readonly keeper: string
  /** The class of the members. */
  readonly member: string
  /** The function or the module whose variable the path starts with. */
  readonly scope: Site | undefined
}

/** The most names that are shown of a path. */
const most = 8

/** Describes a path. It starts at the last variable of the program on it; where there is none, at its last references. */
export const describePath = ({ steps }: HeapPath): DescribedPath => {
  const scopes = steps.flatMap((step, i) => step.kind === "scope" && i < steps.length - 1 ? [i] : [])
  const ownScope = scopes.findLast((i) => isOfProgram(ownerOf(steps, i)))
  const start = ownScope ?? scopes.find((i) => isName(steps[i + 1]!.edge))
  const shown = steps.slice(start === undefined ? 0 : start + 1).filter(({ kind }) => kind !== "internal")
  const names = shown.flatMap(namesOf)
  const owner = ownScope === undefined ? undefined : ownerOf(steps, ownScope)?.place
  const named = shown.slice(0, -1).findLast(({ edge }) => isName(edge)) ?? shown.findLast(({ edge }) => isName(edge))
  return {
    names: names.length <= most ? names : [...names.slice(0, 3), "…", ...names.slice(names.length - most + 4)],
    keeper: (owner === undefined ? named?.edge : names[0]) ?? names[0] ?? "",
    member: steps.at(-1)?.node ?? "",
    scope: owner === undefined ? undefined : siteOf(owner)
  }
}

/** The function that has the variables of a scope: the last one before it on the path. */
const ownerOf = (steps: ReadonlyArray<HeapStep>, scope: number): HeapStep | undefined =>
  steps.slice(0, scope).findLast(({ place }) => place !== undefined)

const isOfProgram = (owner: HeapStep | undefined): boolean =>
  owner?.place?.file !== undefined && !owner.place.file.startsWith("node:") && !isLibraryFile(owner.place.file)

const isName = (edge: string): boolean => edge !== "[]" && edge !== "context" && edge !== ""

const namesOf = ({ edge, kind, node }: HeapStep): ReadonlyArray<string> => [
  ...isName(edge) ? [edge] : [],
  ...kind === "scope" || node === "" || node === "Object" ? [] : [kind === "function" ? `${node}()` : node]
]

/** The versions of effect that Fiberscope supports. Messages, documentation and manifests repeat what stands here; a test compares them. */

/** Programs with these versions can be observed by `fiberscope run`. `pnpm run compat` tries them; the shape of a fiber decides. */
export const observable = ">=4.0.0-beta.35 <4.2.0"

/** The layers run on these versions: the range of the peer dependency. */
export const supported = ">=4.1.0 <4.2.0"

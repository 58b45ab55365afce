/**
 * A rule of the program's own, in one file: it notes connections that are open although little work is done.
 *
 * `LeakRule.make` needs a name and a function from an observation to findings. `Finding.make` needs a kind, a summary, a place and advice. A
 * kind of one's own needs no registration; `docs` may point to a page of one's own.
 */
import * as Finding from "@fiberscope/detector/Finding"
import * as LeakRule from "@fiberscope/detector/LeakRule"

/** Notes more than `most` open sockets while fewer fibers live. The threshold is an option, as in every rule that has one. */
export const IdleConnections = (most = 100): LeakRule.LeakRule =>
  LeakRule.make({
    name: "IdleConnections",
    // Fibers that never end explain the sockets that they hold.
    explainedBy: { kinds: ["fiber-growth"], where: "anywhere" },
    find: ({ lastTick, resources }) => {
      const open = resources.get("TCPSocketWrap")?.at(-1)?.value ?? 0
      const live = lastTick?.fibers.live ?? 0
      return open <= most || live >= open ? {} : {
        findings: [Finding.make({
          kind: "idle-connections",
          rule: "IdleConnections",
          severity: "info",
          summary: `${open} sockets are open, and only ${live} fibers live`,
          site: { name: "(the process)" },
          count: open,
          cannotShow: "which sockets are idle.",
          fix: "Give idle connections a timeout.",
          docs: "https://example.org/operations#connections"
        })]
      }
    }
  })

import type { Finding, Kind } from "../../src/Finding.ts"
import { docsOf } from "../../src/Finding.ts"

/** The default rule of a kind. */
const rules: Readonly<Record<string, string>> = {
  "memory-growth": "SurvivorGrowth",
  "resource-growth": "ResourceGrowth",
  "off-heap-growth": "OffHeapGrowth"
}

/** A finding of a kind with default fields, some of which are replaced. */
export const finding = (kind: Kind, different?: Partial<Finding>): Finding => ({
  kind,
  rule: rules[kind] ?? "ARule",
  severity: "error",
  decided: { row: "growing", z: 4.2 },
  summary: `a ${kind}`,
  site: { name: "handler", file: "/app/src/server.ts", line: 42, column: 7 },
  chain: [],
  waits: [],
  count: 12,
  bytes: 0,
  growth: { perSecond: 3, unit: "fibers" },
  survivors: [],
  evidence: [],
  cannotShow: "everything else.",
  fix: "Release it.",
  docs: docsOf(kind),
  fingerprint: `${kind}:handler@src/server.ts`,
  pid: 42,
  ...different
})

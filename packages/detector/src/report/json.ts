/** The report as JSON. Strings are unchanged: their control characters are JSON escapes. */
import * as Schema from "effect/Schema"
import { json } from "../text/Untrusted.ts"
import { Report } from "./Report.ts"

const encode = Schema.encodeSync(Report)

/** Renders a report as JSON. */
export const renderJson = (report: Report): string => json(encode(report)) + "\n"

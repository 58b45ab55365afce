/**
 * The report as JSON, with the strings as they are: control characters in them are escapes of JSON.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Report } from "../Report.ts"
import { json } from "../Untrusted.ts"

const encode = Schema.encodeSync(Report)

/**
 * Renders a report as JSON.
 *
 * @since 0.1.0
 * @category rendering
 */
export const renderJson = (report: Report): string => json(encode(report)) + "\n"

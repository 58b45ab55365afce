/** Arithmetic of what arrives and departs. */
import type { Flow } from "../Turnover.ts"

/**
 * Arrivals without departures.
 *
 * @since 0.1.0
 * @category statistics
 */
export const net = ({ arrivals, departures }: Flow): number => arrivals - departures

/** Standard deviations between arrivals and departures. */
export const zOf = (flow: Flow): number => net(flow) / Math.sqrt(Math.max(1, flow.arrivals + flow.departures))

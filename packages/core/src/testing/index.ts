/** Proofs for tests: that interruption loses nothing, and that a test does not leak. */
export * as InterruptLab from "./InterruptLab.ts"
export * from "./LabReport.ts"
export * as Laws from "./Laws.ts"
export * from "./Ledger.ts"
export * from "./NoLeaks.ts"
export * as Script from "./Script.ts"

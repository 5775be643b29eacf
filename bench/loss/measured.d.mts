// Types for the tests that use the measurements.

export interface Cell {
  /** Lost both ways, or only from the server to the client. */
  readonly way: 'both' | 's2c'
  readonly rttMs: number
  readonly percent: number
  /** Default cubic. */
  readonly algorithm?: 'reno'
}

export const CELLS: readonly Cell[]

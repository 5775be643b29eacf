import { definePostgresFault, Schema } from './postgres-fault.ts'

/** More often timers need not fire: rows in between come together. */
const PAUSE_MS = 10

/** Results come slowly. */
export const pgThrottle = definePostgresFault({
  type: 'pg_throttle',
  describe: 'Lets so many rows of a result through a second.',
  schema: Schema.Object({
    rowsPerSecond: Schema.Number({ exclusiveMinimum: 0, maximum: 10_000_000, description: 'Rows per second.' }),
  }),
  create({ rowsPerSecond }) {
    const everyRows = Math.max(1, Math.round((rowsPerSecond * PAUSE_MS) / 1000))
    return {
      moment: 'statement',
      decide(_event, { clock }) {
        let startMs = Number.NaN
        // By the clock since the first row: pauses that came out too long are made up for.
        const delayMs = (row: number): number => {
          const nowMs = clock.now()
          if (Number.isNaN(startMs)) startMs = nowMs
          return startMs + (row * 1000) / rowsPerSecond - nowMs
        }
        return { kind: 'pace', everyRows, delayMs }
      },
    }
  },
})

// A parent to be killed: starts a load without pauses, and writes the pid of its process.
import { Stressors } from '../../dist/esm/resource-stressors/index.js'

const stressors = new Stressors()
const stressor = await stressors.start({ type: 'cpu', attributes: { load: 100, workers: 1 }, ttlMs: 30_000 })
process.stdout.write(`${stressor.pid}\n`)

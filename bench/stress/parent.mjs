// A parent to be killed: starts a stressor, and writes the pid of its process. Argument: which, as JSON; default: a load
// without pauses.
import { Stressors } from '../../dist/esm/resource-stressors/index.js'

const busy = { type: 'cpu', attributes: { load: 100, workers: 1 } }
const stressors = new Stressors()
const stressor = await stressors.start({ ...JSON.parse(process.argv[2] ?? JSON.stringify(busy)), ttlMs: 30_000 })
process.stdout.write(`${stressor.pid}\n`)

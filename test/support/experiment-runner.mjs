// Runs an experiment against a server, as a process that can be killed: writes what happens, a line each.
const [module, url, text, leaseMs] = process.argv.slice(2)
const { abortOnSignals, parseExperiment, runExperiment, ServerTarget } = await import(module)

const experiment = await parseExperiment('test.yaml', text, { environment: {} })
const target = new ServerTarget({ url, leaseMs: Number(leaseMs) })
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)
const { journal } = await runExperiment(experiment, target, {
  signal: abortOnSignals().signal,
  onEvent: (event) => event.kind === 'attempt' || say(event),
})
say({ kind: 'journal', journal })
await target.close()

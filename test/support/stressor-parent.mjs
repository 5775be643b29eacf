// A program that starts the stressors it is told to, writes what happens, a line each, and stays.
// Arguments: the module with the stressors, what to start.
const [, , module, specs] = process.argv
const { Stressors } = await import(module)
const stressors = new Stressors()
const say = (word, fact) => process.stdout.write(`${word} ${JSON.stringify(fact)}\n`)
stressors.events.subscribe(({ type, ...event }) => say(type, event))
const started = await Promise.all(JSON.parse(specs).map((spec) => stressors.start(spec)))
await stressors.prepare()
say(
  'started',
  started.map(({ pid, requested, notes }) => ({ pid, requested, notes })),
)
setInterval(() => undefined, 1000) // stays also when all have ended

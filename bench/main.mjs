// Benchmarks of Faultline beside its peers, in one run on one machine. See README.md for what the rows mean.

import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { cleanUpOnExit, stopAllChildren } from './children.mjs'
import { readOptions, usage } from './options.mjs'
import { jsonReport } from './report/json.mjs'
import { textReport } from './report/text.mjs'
import { judge } from './report/verdicts.mjs'
import { scenarios } from './scenarios/index.mjs'
import { targets } from './targets/index.mjs'

/** Above it, other programs take so much of 2 cores that single rounds are off. */
const quietLoadAverage = 0.5

const options = readOptionsOrExit()
if (options !== null) {
  cleanUpOnExit()
  await main(options)
}

async function main(options) {
  const machine = describeMachine()
  const notes =
    machine.loadAverage > quietLoadAverage ? ['something else ran on this machine when the bench began'] : []
  const found = await findTargets(options)
  const results = []
  for (const scenario of scenarios) {
    if (options.only !== null && !options.only.includes(scenario.name)) continue
    const result = await runScenario(scenario, options, found, (note) => notes.push(`${scenario.name}: ${note}`))
    if (result !== null) results.push(result)
  }
  if (options.rounds < 5) notes.push('fewer than 5 rounds: good for trying things out, not for judging')
  const run = {
    machine,
    options,
    targets: found.map(({ target: { name }, availability }) => ({ ...availability, name })),
    scenarios: results,
    verdicts: judge(results),
    notes,
  }
  process.stdout.write(options.json ? jsonReport(run) : textReport(run))
}

async function findTargets({ targets: wanted }) {
  const chosen = targets.filter((target) => wanted === null || wanted.includes(target.name))
  return Promise.all(chosen.map(async (target) => ({ target, availability: await target.find() })))
}

async function runScenario(scenario, options, found, note) {
  const fail = (message) => {
    process.exitCode = 1
    note(message)
  }
  const present = found.filter(({ availability }) => availability.missing === undefined)
  const taken = present
    .map(({ target }) => target)
    .filter((target) => (target.scenarios?.includes(scenario.name) ?? true) && scenario.takes(target))
  const progress = (message) => process.stderr.write(`${scenario.name}: ${message}\n`)
  if (taken.length === 0) {
    note('none of its targets is here')
    return null
  }
  const missing = (await scenario.missing?.()) ?? null
  if (missing !== null) {
    note(`skipped: ${missing}`)
    return null
  }
  try {
    const result = await scenario.run({ options, targets: taken, note, fail, progress })
    return { name: scenario.name, title: scenario.title, ...result }
  } catch (error) {
    // The other scenarios can still be measured.
    fail(`failed: ${error.message}`)
    return null
  } finally {
    await stopAllChildren()
  }
}

function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    cpus: cpus().length,
    memoryGigabytes: totalmem() / 1e9,
    system: `${type()} ${release()}`,
    node: process.versions.node,
    loadAverage: loadavg()[0],
  }
}

function readOptionsOrExit() {
  try {
    const known = { scenarios: scenarios.map(({ name }) => name), targets: targets.map(({ name }) => name) }
    const read = readOptions(process.argv.slice(2), known)
    if (read === null) process.stdout.write(usage)
    return read
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}`)
    process.exitCode = 2
    return null
  }
}

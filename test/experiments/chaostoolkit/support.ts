// What tests of Chaos Toolkit files share: experiments of a few parts, and activities.
import { readChaosToolkit, type ReadOptions } from '../../../experiments/chaostoolkit/read.ts'
import { runChaosToolkit, type RunOptions } from '../../../experiments/chaostoolkit/run.ts'
import type { ChaosJournal } from '../../../experiments/chaostoolkit/journal.ts'
import type { ChaosExperiment } from '../../../experiments/chaostoolkit/document.ts'

type Parts = Readonly<Record<string, unknown>>

export function read(parts: Parts, options: ReadOptions = {}): ChaosExperiment {
  return readChaosToolkit(JSON.stringify({ title: 'A title', description: 'Why.', method: [], ...parts }), options)
}

export function run(parts: Parts, options: RunOptions & ReadOptions = {}): Promise<ChaosJournal> {
  return runChaosToolkit(read(parts, options), options)
}

/** A steady state of one probe, or several. */
export function steady(...probes: readonly Parts[]): Parts {
  return { 'steady-state-hypothesis': { title: 'It works', probes } }
}

export function probe(name: string, provider: Parts, rest: Parts = {}): Parts {
  return { type: 'probe', name, provider, ...rest }
}

export function action(name: string, provider: Parts, rest: Parts = {}): Parts {
  return { type: 'action', name, provider, ...rest }
}

export function http(url: string, rest: Parts = {}): Parts {
  return { type: 'http', url, ...rest }
}

export function program(path: string, given?: unknown, rest: Parts = {}): Parts {
  return { type: 'process', path, ...(given !== undefined && { arguments: given }), ...rest }
}

/** A script of the shell, whose words need no splitting. */
export function shell(script: string, rest: Parts = {}): Parts {
  return program('sh', ['-c', script], rest)
}

/** A function of the toxiproxy extension. */
export function toxi(module: string, func: string, given: Parts = {}): Parts {
  return { type: 'python', module: `chaostoxi.${module}`, func, arguments: given }
}

// The one list of rules. A new one is a file and a line here; what is most likely to be the root stands first.
import type { Journal } from '../../model.ts'
import { sloKind } from '../slo.ts'
import { attemptsPileUp } from './attempts-pile-up.ts'
import { backlogAfterHeal } from './backlog-after-heal.ts'
import { baselineNotClean } from './baseline-not-clean.ts'
import { callsHang } from './calls-hang.ts'
import { errorsPassThrough } from './errors-pass-through.ts'
import { factsOf } from './facts.ts'
import { faultDidNothing } from './fault-did-nothing.ts'
import type { Hint, HintRule } from './hint.ts'
import { latencyPassesThrough } from './latency-passes-through.ts'
import { machineBusy } from './machine-busy.ts'
import { neverRecovered } from './never-recovered.ts'
import { noClientTimeout } from './no-client-timeout.ts'
import { noFallback } from './no-fallback.ts'
import { onlyTheTail } from './only-the-tail.ts'
import { oneProbe } from './one-probe.ts'
import { poolExhausted } from './pool-exhausted.ts'
import { queueGrows } from './queue-grows.ts'
import { retriesAmplify } from './retries-amplify.ts'
import { slowToNotice } from './slow-to-notice.ts'
import { tooFewAttempts } from './too-few-attempts.ts'

export const hintRules: readonly HintRule[] = [
  baselineNotClean,
  faultDidNothing,
  neverRecovered,
  poolExhausted,
  retriesAmplify,
  callsHang,
  noClientTimeout,
  queueGrows,
  attemptsPileUp,
  noFallback,
  errorsPassThrough,
  oneProbe,
  latencyPassesThrough,
  onlyTheTail,
  slowToNotice,
  backlogAfterHeal,
  machineBusy,
  tooFewAttempts,
]

/** What the journal supports of what may explain its failed SLOs. One that nothing explains is named as such. */
export function hintsOf(journal: Journal): readonly Hint[] {
  const facts = factsOf(journal)
  const failed = journal.verdicts.filter(({ result }) => result === 'fail').map(({ slo }) => slo)
  const hints = hintRules.flatMap((rule): Hint[] => {
    const { name, about, cause, next } = rule
    const slos =
      about === 'run' ? [] : failed.filter((slo) => sloKind(slo).topics.some((topic) => about.includes(topic)))
    if (about !== 'run' && slos.length === 0) return []
    const found = rule.evidence(facts)
    return found.length === 0 ? [] : [{ rule: name, slos, cause, evidence: found, next }]
  })
  const explained = new Set(hints.flatMap(({ slos }) => slos))
  const unexplained = failed.filter((slo) => !explained.has(slo))
  return unexplained.length === 0 ? hints : [...hints, nothingExplains(journal, unexplained)]
}

function nothingExplains({ verdicts }: Journal, slos: readonly string[]): Hint {
  return {
    rule: 'unexplained',
    slos,
    cause: 'Nothing in what was measured tells why.',
    evidence: verdicts.filter(({ slo, result }) => result === 'fail' && slos.includes(slo)).map(({ why }) => why),
    next: [
      'Look at the logs, metrics and traces of the service at the times of the timeline.',
      'Repeat with one fault at a time, and with a probe for each part of the service.',
    ],
  }
}

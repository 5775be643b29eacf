// Envoy's fault headers as faults of every connection of a proxy that obeys them.
import { Type } from '@sinclair/typebox'
import type { Direction, MessageFault } from '../../faults/fault.ts'
import type { HttpRule } from '../../faults/http/http-fault.ts'
import { InstalledFault } from '../../installed-fault.ts'
import { envoyDeciders } from './envoy.ts'
import { compileHttpMatch } from './match.ts'

export const envoyFaults: readonly InstalledFault[] = envoyDeciders.map(({ type, decider }) => {
  const direction: Direction = decider.phase === 'request' ? 'upstream' : 'downstream'
  const rule: HttpRule = {
    kind: 'http',
    phase: decider.phase,
    joins: false,
    match: compileHttpMatch({}, decider.phase, ''),
    decide: (message, context) => decider.decide(message, context),
  }
  const definition: MessageFault = {
    type,
    layer: 'message',
    protocol: 'http',
    describe: 'Obeys a fault header of Envoy.',
    schema: Type.Object({}),
    matchSchema: Type.Object({}),
    compile: () => ({ direction, rule }),
  }
  const counts = { probability: 1, skip: 0, times: undefined, every: 1, key: undefined }
  const settings = { ...counts, enabled: true, match: {}, attributes: {} }
  return new InstalledFault(definition, type, { ...settings, direction, rule })
})

import type { HintRule } from './hint.ts'

export const faultDidNothing: HintRule = {
  name: 'fault-did-nothing',
  about: 'run',
  cause: 'A fault was there but never acted: what was measured says nothing about it.',
  next: [
    'Check that the service reaches its dependency by the proxy, and that a `match` of the fault fits the traffic.',
    'Add load or a probe that needs the dependency.',
  ],
  evidence({ journal }) {
    return Object.entries(journal.injections)
      .filter(([, count]) => count === 0)
      .map(([fault]) => `${fault} acted 0 times`)
  },
}

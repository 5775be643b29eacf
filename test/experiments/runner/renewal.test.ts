// The lease of an experiment while it waits for its turn: on targets that answer late, wrongly, or not at all.
import { expect, test } from 'vitest'
import { inTurn, Renewal } from '../../../experiments/runner/renewal.ts'
import type { Holding } from '../../../experiments/runner/target.ts'

const never = new AbortController().signal

/** Answers in this order, the last for ever. */
function answering(answers: readonly (number | Error | undefined)[]): () => Promise<number | undefined> {
  let next = 0
  return async () => {
    const answer = answers[Math.min(next++, answers.length - 1)]
    if (answer instanceof Error) throw answer
    return answer
  }
}

async function waiting(answers: readonly (number | Error | undefined)[], signal = never) {
  const told: number[] = []
  const renewal = new Renewal({ leaseMs: 300, ahead: 2, renew: answering(answers) })
  try {
    await renewal.untilTurn((ahead) => told.push(ahead), signal)
    return told
  } finally {
    renewal.stop()
  }
}

test('tells how many are ahead, and bears a call that fails', async () => {
  expect(await waiting([2, new Error('lost'), 1, 1, 0])).toEqual([2, 1, 0])
})

test('a lease that is gone, or can not be renewed for its whole time, is lost', async () => {
  await expect(waiting([undefined])).rejects.toThrow(
    'the lease of 300 ms that holds the experiment is lost: it has ended',
  )
  await expect(waiting([new Error('no route')])).rejects.toThrow('is lost: no route')
})

test('who aborts does not wait for a target that does not answer', async () => {
  const controller = new AbortController()
  const hanging = new Promise<never>(() => undefined)
  const renewal = new Renewal({ leaseMs: 300, ahead: 1, renew: () => hanging })
  const holding = { lost: renewal.lost, release: () => hanging } as unknown as Holding
  const turn = inTurn(holding, renewal, controller.signal, () => undefined)
  controller.abort(new Error('enough'))
  const beginMs = performance.now()
  await expect(turn).rejects.toThrow('enough')
  expect(performance.now() - beginMs).toBeLessThan(3000) // one second for the release, and what a busy machine takes
  renewal.stop()
})

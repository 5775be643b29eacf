// The supervisor of stressors that the API works with: bound to the network's emergency stop, gone with the server.
import type { FastifyInstance } from 'fastify'
import { FaultlineError, type Network, type NetworkOptions } from '../proxy/index.ts'
import { refusal } from '../resource-stressors/definition.ts'
import { Stressors } from '../resource-stressors/index.ts'

export interface StressorHostOptions extends Pick<NetworkOptions, 'defaultTtlMs' | 'maxTtlMs'> {
  /**
   * What starts stressors. Default: one of the server's own; no process is started before a stressor is. One that is
   * passed stays its owner's, to be closed by it, but the server ends all that it has when it stops and when it closes.
   * `false`: stressors are refused.
   */
  readonly stressors?: Stressors | false
}

/**
 * While the emergency stop is on, no stressor starts; when it comes on, all end. All end when the server closes, before
 * it waits for anything.
 */
export function hostStressors(app: FastifyInstance, network: Network, options: StressorHostOptions): Stressors {
  const { stressors: given } = options
  const stressors = given || new Stressors({ clock: network.clock, ...timesOf(options) })
  const takeBack = stressors.guard(() => {
    if (given === false) throw refusal('this server was told to start no stressors')
    if (network.stopped) throw stopped()
  })
  const unsubscribe = network.changes.subscribe(({ type }) => {
    if (type === 'stopped') void stressors.stopAll('stop')
  })
  let ended: Promise<unknown> = Promise.resolve()
  app.addHook('preClose', (done) => {
    ended = given ? stressors.stopAll('request') : stressors.close()
    done()
  })
  app.addHook('onClose', async () => {
    await ended
    takeBack()
    unsubscribe()
  })
  return stressors
}

function timesOf({ defaultTtlMs, maxTtlMs }: StressorHostOptions) {
  return { ...(defaultTtlMs !== undefined && { defaultTtlMs }), ...(maxTtlMs !== undefined && { maxTtlMs }) }
}

function stopped(): FaultlineError {
  return new FaultlineError('stopped', 'the emergency stop is on: no stressor can act until it is taken back (resume)')
}

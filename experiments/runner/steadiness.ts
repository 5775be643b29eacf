// What keeps an experiment from acting once it has begun: probes that are not good, metrics without a number, a baseline
// that is not steady. All of them are errors with the fields of its file.
import { FaultlineError } from '../../proxy/errors.ts'
import type { Experiment } from '../file/experiment.ts'
import { formatShare } from '../file/units.ts'
import type { Recorder } from '../measure/index.ts'
import type { MetricComplaint } from './metric-monitor.ts'
import type { Complaint } from './probing.ts'

/** Of those that were asked once. */
export function refusedProbes({ steadyStates }: Experiment, complaints: readonly Complaint[]): FaultlineError[] {
  return complaints.map(({ state, reason }) =>
    refused(
      `steadyState.${steadyStates.indexOf(state)}`,
      state.name,
      'a probe that is good before anything acts',
      reason,
    ),
  )
}

export function refusedMetrics({ metrics }: Experiment, complaints: readonly MetricComplaint[]): FaultlineError[] {
  return complaints.map(({ metric, reason }) =>
    refused(`metrics.${metrics.indexOf(metric)}`, metric.name, 'a number before anything acts', reason),
  )
}

/** What is not steady before anything acts tells nothing afterwards. */
export function refusedBaseline({ steadyStates, slo }: Experiment, recorder: Recorder): FaultlineError[] {
  const { availability } = slo
  const expected = `a steady state, with at least ${formatShare(availability)} good`
  return steadyStates.flatMap(({ name }, index) => {
    const { attempts, good } = recorder.figures({ probes: [name], phases: ['baseline'] })
    if (attempts === 0 || good / attempts >= availability) return []
    return [refused(`steadyState.${index}`, name, expected, `${good} of ${attempts} good in the baseline`)]
  })
}

function refused(field: string, name: string, wanted: string, reason: string): FaultlineError {
  const expected = `${wanted}, got ${reason}`
  return new FaultlineError('invalid_value', `${field} (${name}): expected ${expected}`, { field, expected })
}

// In which order files of tests run. Vitest begins with the largest: what waits for processes, in files that are small,
// would come last, at times alone, after all that computes has shared the cores.
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** They wait for processes more than they compute. */
const WAITING = /\/test\/(?:cli|docs|packaging|resource-stressors)\//

/** One file that waits, two that compute, and so on. */
export class MixedOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    // Files in between that have a process of their own would end those that others share.
    const alone = sorted.filter(({ project }) => project.config.isolate)
    const shared = sorted.filter(({ project }) => !project.config.isolate)
    const waiting = shared.filter(({ moduleId }) => WAITING.test(moduleId))
    const computing = shared.filter(({ moduleId }) => !WAITING.test(moduleId))
    return [...alone, ...waiting.flatMap((file) => [file, ...computing.splice(0, 2)]), ...computing]
  }
}

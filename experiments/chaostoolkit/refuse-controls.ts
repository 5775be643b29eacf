// Controls are Python code, and may guard a run: to leave them out would make another experiment of it.
import { isObject, type Mistakes } from '../../admin/config/mistakes.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'

/** Adds each control to the mistakes, by the name of its module. */
export function refuseControls(mistakes: Mistakes, given: unknown, field: string): void {
  if (given === undefined || given === null) return
  const isList = Array.isArray(given)
  for (const [index, control] of (isList ? given : [given]).entries()) {
    const provider = isObject(control) ? control['provider'] : undefined
    const module = isObject(provider) ? provider['module'] : control
    const path = isList ? joinPath(field, String(index)) : field
    const expected = 'no controls, as no Python runs here'
    const message = `${path}: expected ${expected}, got ${describeValue(module)}`
    mistakes.errors.push(new FaultlineError('invalid_value', message, { field: path, expected }))
  }
}

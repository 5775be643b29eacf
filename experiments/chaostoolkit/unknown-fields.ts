// Fields that the original does not know: it ignores them, and public files have some. So they are told of, and no more;
// but those of functions, which are mistakes there, too.
import type { Mistakes } from '../../admin/config/mistakes.ts'
import type { FaultlineError } from '../../proxy/errors.ts'

export function isIgnored({ code, field = '' }: FaultlineError): boolean {
  return code === 'unknown_field' && !field.includes('.arguments.')
}

/** Whether nothing else was found since there were so many mistakes. */
export function isOnlyIgnored({ errors }: Mistakes, since: number): boolean {
  return errors.slice(since).every(isIgnored)
}

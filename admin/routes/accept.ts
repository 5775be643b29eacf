// What a client asks for by its Accept header (RFC 9110 section 12.5.1).

/** Whether a client names this media type and does not refuse it. Wildcards do not count: they get what is usual. */
export function asksFor(accept: string | undefined, mediaType: string): boolean {
  return (accept ?? '').split(',').some((range) => {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    return name === mediaType && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
  })
}

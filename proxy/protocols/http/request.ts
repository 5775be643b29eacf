// A request as matches see it. Everything is read when it is asked for: most requests match nothing.
import { HttpHead } from './head.ts'

const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i

export class HttpRequest {
  readonly head: HttpHead
  #method: string | undefined
  #path: string | undefined
  #query: URLSearchParams | undefined
  #host: string | undefined

  constructor(head: string) {
    this.head = new HttpHead(head)
  }

  get method(): string {
    return (this.#method ??= this.head.method.toUpperCase())
  }

  /** Without query and, of an absolute target, without scheme and host. */
  get path(): string {
    return (this.#path ??= pathOf(this.head.target))
  }

  get query(): URLSearchParams {
    const { target } = this.head
    return (this.#query ??= new URLSearchParams(target.includes('?') ? target.slice(target.indexOf('?')) : ''))
  }

  /** Of an absolute target its own, else the Host header's (RFC 9112 section 3.2.2), lower-case. */
  get host(): string {
    return (this.#host ??= (ABSOLUTE.exec(this.head.target)?.[1] ?? this.head.header('host') ?? '').toLowerCase())
  }

  /** {@link HttpRequest.host} without its port. */
  get hostname(): string {
    return this.host.replace(/:\d*$/, '')
  }

  /** All values of a cookie (RFC 6265 section 4.2). */
  cookie(name: string): string[] {
    const pairs = this.head.headers('cookie').flatMap((value) => value.split(';'))
    return pairs
      .map((pair) => pair.trim())
      .filter((pair) => pair.startsWith(`${name}=`))
      .map((pair) => pair.slice(name.length + 1).replace(/^"(.*)"$/, '$1'))
  }
}

function pathOf(target: string): string {
  const question = target.indexOf('?')
  const path = question < 0 ? target : target.slice(0, question)
  const host = ABSOLUTE.exec(path)
  return host ? path.slice(host[0].length) || '/' : path
}

// What tests use of two packages that come without types.
declare module 'pg-copy-streams' {
  import type { Duplex, Readable } from 'node:stream'
  import type { Submittable } from 'pg'

  /** COPY … FROM STDIN: what is written goes to the server. */
  export function from(text: string): Duplex & Submittable
  /** COPY … TO STDOUT: what comes from the server. */
  export function to(text: string): Readable & Submittable
}

declare module 'pg-cursor' {
  import type { Submittable } from 'pg'

  export default class Cursor<Row> implements Submittable {
    constructor(text: string, values?: unknown[])
    submit: Submittable['submit']
    /** The next rows, none at the end. */
    read(maxRows: number): Promise<Row[]>
    close(): Promise<void>
  }
}

// A server that speaks Postgres' protocol by a script: what it answers depends on the bytes it gets alone, not on how
// they are cut or when they come. It is no database: a word of the SQL says what is to be answered.
import { message } from './postgres-frontend.ts'

const ENCRYPTION_REFUSED = Buffer.from('N')

/** Words in the SQL that it understands; everything else is a SELECT of two rows. */
export const SCRIPTED_SQL = [
  'select 1',
  'select bad',
  'select notice',
  'select change',
  'select nothing',
  'insert into t values (1)',
  'begin',
  'commit',
  'rollback',
  '',
  '-- only a comment',
  'copy t from stdin',
  'copy t to stdout',
  'select \'ä;ö\' as "a;b"',
  'not sql at all (((',
] as const

interface Portal {
  readonly sql: string
}

export class ScriptedServer {
  #left: Buffer = Buffer.alloc(0)
  #started = false
  #dead = false
  #skipping = false
  /** COPY FROM STDIN is on, by a simple query or by Execute. */
  #copyIn: 'simple' | 'extended' | undefined
  #status = 'I'
  #count = 0
  readonly #statements = new Map<string, string>()
  readonly #portals = new Map<string, Portal>()

  /** Takes the client's next bytes and returns what is answered to them. */
  receive(bytes: Buffer): Buffer {
    this.#left = Buffer.concat([this.#left, bytes])
    const answers: Buffer[] = []
    for (;;) {
      const header = this.#started ? 5 : 4
      if (this.#left.length < header) break
      const size = this.#left.readUInt32BE(header - 4) + header - 4
      if (this.#left.length < size) break
      const whole = Buffer.from(this.#left.subarray(0, size))
      this.#left = this.#left.subarray(size)
      answers.push(...(this.#started ? this.#typed(whole) : this.#first(whole)))
    }
    return Buffer.concat(answers)
  }

  #first(whole: Buffer): Buffer[] {
    const code = whole.readUInt32BE(4)
    if (code === 80_877_103 || code === 80_877_104) return [ENCRYPTION_REFUSED]
    this.#started = true
    const name = Buffer.from('application_name\0scripted\0')
    return [message('R', Buffer.alloc(4)), message('S', name), message('K', Buffer.alloc(8, 7)), this.#ready()]
  }

  #typed(whole: Buffer): Buffer[] {
    if (this.#dead) return []
    const type = String.fromCharCode(whole[0] as number)
    const asides = ++this.#count % 7 === 0 ? [message('A', Buffer.from('\0\0\0\u0001channel\0payload\0'))] : []
    return [
      ...asides,
      ...(this.#copyIn ? this.#copying(type, whole.subarray(5)) : this.#answer(type, whole.subarray(5))),
    ]
  }

  /** Flush and Sync are not noticed (PostgreSQL manual, "COPY Operations"); what is out of place ends the connection. */
  #copying(type: string, body: Buffer): Buffer[] {
    if ('dHS'.includes(type)) return []
    if (!'cf'.includes(type)) {
      this.#dead = true
      return [this.#fail('08P01', `unexpected message type ${type}`), this.#fail('08P01', 'terminating connection')]
    }
    const simple = this.#copyIn === 'simple'
    this.#copyIn = undefined
    if (type === 'c') return [complete('COPY 1'), ...(simple ? [this.#ready()] : [])]
    const reason = `COPY from stdin failed: ${body.toString('utf8', 0, body.length - 1)}`
    return simple ? [this.#fail('57014', reason), this.#ready()] : [this.#failAndSkip('57014', reason)]
  }

  #answer(type: string, body: Buffer): Buffer[] {
    if (type === 'S') {
      this.#skipping = false
      return [this.#ready()]
    }
    if (this.#skipping || 'dcfHX'.includes(type)) return []
    const [first = '', second = ''] = body.toString('utf8').split('\0')
    switch (type) {
      case 'Q':
        return this.#simple(first)
      case 'F':
        if (body.readUInt32BE(0) === 1) return [message('V', Buffer.alloc(4)), this.#ready()]
        return [this.#fail('42883', `function with OID ${body.readUInt32BE(0)} does not exist`), this.#ready()]
      case 'P':
        if (POISON.test(second))
          return [this.#failAndSkip('42P01', `relation ${POISON.exec(second)?.[0]} does not exist`)]
        if (second.includes('bad')) return [this.#failAndSkip('42601', 'syntax error')]
        this.#statements.set(first, second)
        return [message('1')]
      case 'B': {
        const sql = this.#statements.get(second)
        if (sql === undefined) return [this.#failAndSkip('26000', `prepared statement "${second}" does not exist`)]
        this.#portals.set(first, { sql })
        return [message('2')]
      }
      case 'D':
        return this.#describe(first.slice(0, 1), first.slice(1))
      case 'C':
        ;(first.startsWith('S') ? this.#statements : this.#portals).delete(first.slice(1))
        return [message('3')]
      case 'E':
        return this.#execute(first, body.readInt32BE(Buffer.byteLength(first) + 1))
      default:
        return [this.#failAndSkip('08P01', `invalid frontend message type ${type}`)]
    }
  }

  #simple(sql: string): Buffer[] {
    const answers: Buffer[] = []
    for (const statement of sql.split(';')) {
      const { done, parts } = this.#run(statement, true, 0)
      answers.push(...parts)
      if (done === 'copy') {
        this.#copyIn = 'simple'
        return answers
      }
      if (done === 'failed') break
    }
    return [...answers, this.#ready()]
  }

  #execute(name: string, maxRows: number): Buffer[] {
    const portal = this.#portals.get(name)
    if (!portal) return [this.#failAndSkip('34000', `portal "${name}" does not exist`)]
    const { done, parts } = this.#run(portal.sql, false, maxRows)
    if (done === 'copy') this.#copyIn = 'extended'
    if (done === 'failed') this.#skipping = true
    return parts
  }

  #describe(kind: string, name: string): Buffer[] {
    const sql = kind === 'S' ? this.#statements.get(name) : this.#portals.get(name)?.sql
    if (sql === undefined) return [this.#failAndSkip(kind === 'S' ? '26000' : '34000', `"${name}" does not exist`)]
    const result = sql.startsWith('select') ? ROW_DESCRIPTION : message('n')
    return kind === 'S' ? [message('t', Buffer.alloc(2)), result] : [result]
  }

  #run(sql: string, described: boolean, maxRows: number): { done: 'complete' | 'copy' | 'failed'; parts: Buffer[] } {
    const poison = /"(faultline_[0-9a-f]+)"/.exec(sql)?.[1]
    if (poison !== undefined)
      return { done: 'failed', parts: [this.#fail('26000', `prepared statement "${poison}" …`)] }
    const text = sql.trim()
    if (text.includes('bad') || text.startsWith('not'))
      return { done: 'failed', parts: [this.#fail('42601', 'syntax')] }
    if (text === '' || text.startsWith('--')) return { done: 'complete', parts: [message('I')] }
    if (text.startsWith('copy') && text.includes('from'))
      return { done: 'copy', parts: [message('G', Buffer.alloc(3))] }
    if (text.startsWith('copy')) {
      const data = message('d', Buffer.from('1\n'))
      return { done: 'complete', parts: [message('H', Buffer.alloc(3)), data, data, message('c'), complete('COPY 2')] }
    }
    if (!text.startsWith('select')) return { done: 'complete', parts: [complete(this.#tag(text))] }
    const asides = text.includes('notice') ? [message('N', Buffer.from('SNOTICE\0C00000\0Mthere\0\0'))] : []
    if (text.includes('change')) asides.push(message('S', Buffer.from('application_name\0changed\0')))
    const rows = text.includes('nothing') ? [] : [ROW, ROW].slice(0, maxRows === 0 ? 2 : maxRows)
    const end = maxRows > 0 && rows.length === maxRows ? message('s') : complete(`SELECT ${rows.length}`)
    return { done: 'complete', parts: [...asides, ...(described ? [ROW_DESCRIPTION] : []), ...rows, end] }
  }

  #tag(text: string): string {
    if (text.startsWith('begin')) this.#status = 'T'
    if (text.startsWith('commit') || text.startsWith('rollback')) {
      const failed = this.#status === 'E'
      this.#status = 'I'
      return failed || text.startsWith('rollback') ? 'ROLLBACK' : 'COMMIT'
    }
    return text.startsWith('insert') ? 'INSERT 0 1' : (text.split(' ')[0] ?? '').toUpperCase()
  }

  #fail(code: string, text: string): Buffer {
    if (this.#status === 'T') this.#status = 'E'
    return message('E', Buffer.from(`SERROR\0VERROR\0C${code}\0M${text}\0\0`))
  }

  #failAndSkip(code: string, text: string): Buffer {
    this.#skipping = true
    return this.#fail(code, text)
  }

  #ready(): Buffer {
    return message('Z', Buffer.from(this.#status))
  }
}

/** By such names an error is provoked. */
const POISON = /"faultline_[0-9a-f]+"/

const ROW_DESCRIPTION = message('T', Buffer.from('\0\u0001a\0'), Buffer.alloc(18))
const ROW = message('D', Buffer.from([0, 1, 0, 0, 0, 1, 0x31]))

function complete(tag: string): Buffer {
  return message('C', Buffer.from(`${tag}\0`))
}

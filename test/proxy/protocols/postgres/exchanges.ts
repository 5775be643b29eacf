// What clients and servers say to each other, of every kind: played by transparency.test.ts.
import {
  bind,
  close,
  copyData,
  copyDone,
  copyFail,
  describe,
  execute,
  flush,
  functionCall,
  gssEncRequest,
  message,
  parse,
  query,
  sslRequest,
  startup,
  sync,
  terminate,
} from '../../../support/postgres-frontend.ts'
import type { Exchange, Step } from './exchange.ts'

/** To be run once by the server that the exchanges are held with; none of them leaves anything behind. */
export const SETUP = `
  CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);
  INSERT INTO items SELECT id, 'item ' || id FROM generate_series(1, 5) AS id;
  CREATE TABLE parents (id int PRIMARY KEY);
  CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
  CREATE PUBLICATION everything FOR ALL TABLES;
`

/** Simple queries one after the other. */
function queries(name: string, ...texts: string[]): Exchange {
  return { name: `simple: ${name}`, steps: texts.map((text): Step => [[query(text)]]) }
}

/** Messages of the extended protocol, sent at once. */
function extended(name: string, messages: readonly (Buffer | readonly Buffer[])[], readyCount = 1): Exchange {
  return { name: `extended: ${name}`, steps: [[messages.flat(), 'Z', readyCount]] }
}

const simple: Exchange[] = [
  queries('one statement', 'SELECT 1 AS one'),
  queries('nothing', '', ';', ' ; ; ', '-- only a comment'),
  queries('several statements', "SELECT 1; SELECT 'a;b'; SELECT $$;$$ -- ;\n; SELECT 4"),
  queries('an error in the middle of several', 'SELECT 1; SELECT 1/0; SELECT 3', 'SELECT 4'),
  queries('no SQL', 'SELEC 1', 'SELECT 1'),
  queries(
    'a transaction that fails',
    'BEGIN',
    "INSERT INTO items VALUES (6, 'six')",
    "INSERT INTO items VALUES (6, 'six')",
    'SELECT 1',
    'COMMIT',
    'SELECT count(*) FROM items',
  ),
  queries(
    'savepoints',
    "BEGIN; SAVEPOINT a; INSERT INTO items VALUES (6, 'six')",
    'SELECT 1/0',
    'ROLLBACK TO a',
    'SELECT count(*) FROM items; ROLLBACK',
  ),
  queries('a COMMIT that fails', 'BEGIN', 'INSERT INTO children VALUES (1)', 'COMMIT', 'SELECT 1'),
  queries('an implicit commit that fails', 'INSERT INTO children VALUES (1)', 'SELECT 1'),
  queries('transactions within one query', "BEGIN; INSERT INTO items VALUES (6, 'x'); ROLLBACK; SELECT 1/0; SELECT 2"),
  queries(
    'notices',
    "DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'seen, too'; END $$",
    'COMMIT',
    'BEGIN; BEGIN; ROLLBACK',
  ),
  queries(
    'parameters that change',
    "SET application_name = 'another'; SET DateStyle = 'German'; SET TimeZone = 'Europe/Berlin'",
    'BEGIN; SET LOCAL standard_conforming_strings = off; ROLLBACK',
    'RESET ALL',
  ),
  {
    name: 'simple: another encoding than UTF-8',
    steps: [
      [[query("SET client_encoding = 'LATIN1'")]],
      [[message('Q', Buffer.from("SELECT 'd\u00e9j\u00e0 vu; \u00e4', length('\u00e4')\0", 'latin1'))]],
      [[query("RESET client_encoding; SELECT 'd\u00e9j\u00e0 \u{1F418}'")]],
    ],
  },
  { name: 'simple: bytes that are no text', steps: [[[message('Q', Buffer.from("SELECT '\xff\xfe'\0", 'latin1'))]]] },
  {
    name: 'simple: messages of a wrong form',
    steps: [[[message('Q', Buffer.from('SELECT 1'))]], [[query('SELECT 1\0SELECT 2')]], [[query('SELECT 3')]]],
  },
  queries(
    'cursors of SQL',
    'BEGIN; DECLARE c CURSOR FOR SELECT * FROM items ORDER BY id',
    'FETCH 2 FROM c; MOVE 1 FROM c; FETCH ALL FROM c; CLOSE c; COMMIT',
  ),
  queries(
    'PREPARE of SQL',
    'PREPARE p (int) AS SELECT $1 + 1',
    'EXECUTE p (1); EXECUTE p (2)',
    'DEALLOCATE p; EXECUTE p (3)',
  ),
  queries('LISTEN and NOTIFY', 'LISTEN news; NOTIFY news', "NOTIFY news, 'more'; SELECT 1", 'UNLISTEN news'),
  queries('EXPLAIN, VACUUM and SHOW', 'EXPLAIN (COSTS OFF) SELECT * FROM items', 'VACUUM items', 'SHOW server_version'),
  {
    name: 'simple: queries without waiting',
    steps: [[[query('SELECT 1'), query('SELECT 1/0'), query(''), query('SELECT 2; SELECT 3')], 'Z', 4]],
  },
]

const PING = [parse('SELECT $1::int AS n'), bind([1]), describe(), execute()]

const extendedOnes: Exchange[] = [
  extended('one statement', [...PING, sync()]),
  extended('a statement that is described', [
    parse('SELECT $1::int, $2::text', 's'),
    describe('S', 's'),
    close('S', 's'),
    sync(),
  ]),
  extended('values of every kind', [
    parse('SELECT $1::int4, $2::bytea, $3::text, $4::uuid', '', [23, 17, 0, 2950]),
    bind([Buffer.from([0, 0, 0, 7]), Buffer.from([0, 1, 0x5a, 255]), null, '00000000-0000-0000-0000-000000000001']),
    describe(),
    execute(),
    sync(),
  ]),
  extended('an empty statement', [parse(''), bind(), describe(), execute(), sync()]),
  extended('two statements in one', [parse('SELECT 1; SELECT 2'), bind(), execute(), sync()]),
  extended('rows in portions', [
    parse('SELECT * FROM items ORDER BY id'),
    bind([], '', 'c'),
    execute(2, 'c'),
    execute(2, 'c'),
    execute(2, 'c'),
    execute(2, 'c'),
    close('P', 'c'),
    sync(),
  ]),
  {
    name: 'extended: a named statement that stays',
    steps: [
      [[parse('SELECT $1::int + 1', 'plus'), sync()]],
      [[bind([1], 'plus'), execute(), bind([2], 'plus'), execute(), sync()]],
      [[parse('SELECT 1', 'plus'), sync()]],
      [[bind([3], 'plus'), execute(), sync()]],
      [[query('DEALLOCATE plus')]],
      [[bind([4], 'plus'), execute(), sync()]],
      [[parse('SELECT 5', 'plus'), bind([], 'plus'), execute(), close('S', 'plus'), close('S', 'none'), sync()]],
    ],
  },
  {
    name: 'extended: step by step with Flush',
    steps: [
      [[parse('SELECT $1::int'), flush()], '1'],
      [[describe('S'), flush()], 'T'],
      [[bind([1]), flush()], '2'],
      [[execute(), flush()], 'C'],
      [[sync()]],
    ],
  },
  extended(
    'errors of each message',
    [
      [parse('SELEC'), bind(), execute(), sync()],
      [parse('SELECT $1::int'), bind(['x']), execute(), sync()],
      [parse('SELECT 1/$1::int'), bind([0]), execute(), describe(), sync()],
      [
        bind([], 'none'),
        sync(),
        describe('S', 'none'),
        sync(),
        describe('P', 'none'),
        sync(),
        execute(0, 'none'),
        sync(),
      ],
      [parse('SELECT $1::int'), bind([1, 2]), sync()],
    ],
    8,
  ),
  extended(
    'an error in a pipeline',
    [
      [parse('SELECT 1'), bind(), execute(), parse('SELEC'), bind(), execute(), sync()],
      [parse('SELECT 2'), bind(), execute(), sync()],
    ],
    2,
  ),
  extended(
    'a pipeline is one transaction',
    [
      [parse("INSERT INTO items VALUES (6, 'six')"), bind(), execute()],
      [parse('SELECT count(*) FROM items'), bind(), execute()],
      [parse('SELECT 1/0'), bind(), execute(), sync()],
      query('SELECT count(*) FROM items'),
    ],
    2,
  ),
  extended('many Syncs', [sync(), ...PING, sync(), sync(), ...PING, sync()], 4),
  extended(
    'a transaction',
    [
      [parse('BEGIN'), bind(), execute(), sync()],
      [parse("INSERT INTO items VALUES (1, 'again')"), bind(), execute(), sync()],
      [parse('SELECT 1'), bind(), execute(), sync(), parse('ROLLBACK'), bind(), execute(), sync()],
    ],
    4,
  ),
  extended('a COMMIT that fails', [
    [parse('BEGIN'), bind(), execute(), parse('INSERT INTO children VALUES (1)'), bind(), execute()],
    [parse('COMMIT'), bind(), execute(), sync()],
  ]),
  extended(
    'an implicit commit that fails',
    [parse('INSERT INTO children VALUES (1)'), bind(), execute(), sync(), ...PING, sync()],
    2,
  ),
  extended('a simple query in the middle', [parse('SELECT 1'), bind(), query('SELECT 2'), execute(), sync()], 2),
  extended(
    'notices and parameters',
    [
      [parse('ROLLBACK'), bind(), execute(), sync()],
      [parse("SET application_name = 'x'"), bind(), execute(), sync()],
    ],
    2,
  ),
  extended(
    'calls of functions',
    [
      // upper(text), then one that does not exist.
      functionCall(871, ['loud']),
      functionCall(4_294_967_295, []),
      functionCall(871, ['once more']),
    ],
    3,
  ),
]

const ROWS = [copyData('6\tsix\n7\tse'), copyData('ven\n'), copyData('')]
const FROM = 'COPY items FROM STDIN'

const copies: Exchange[] = [
  {
    name: 'copy: in and out',
    steps: [
      [[query('BEGIN')]],
      [[query(FROM)], 'G'],
      [[...ROWS, copyDone()]],
      [[query('COPY (SELECT * FROM items ORDER BY id) TO STDOUT')]],
      [[query('COPY (SELECT * FROM items ORDER BY id) TO STDOUT (FORMAT binary)')]],
      [[query('ROLLBACK')]],
    ],
  },
  {
    name: 'copy: in, without waiting',
    steps: [[[query('BEGIN')]], [[query(FROM), ...ROWS, copyDone(), query('ROLLBACK')], 'Z', 2]],
  },
  { name: 'copy: in, given up', steps: [[[query(FROM)], 'G'], [[...ROWS, copyFail('enough')]], [[query('SELECT 1')]]] },
  {
    name: 'copy: in, wrong data',
    steps: [[[query(FROM)], 'G'], [[copyData('x\ty\n'), ...ROWS, copyDone()]], [[query('SELECT 1')]]],
  },
  {
    name: 'copy: in, interrupted by another query',
    steps: [
      [[query(FROM)], 'G'],
      [[...ROWS, query('SELECT 1')], 'end'],
    ],
  },
  {
    name: 'copy: between other statements',
    steps: [[[query(`BEGIN; ${FROM}; SELECT count(*) FROM items; ROLLBACK`)], 'G'], [[...ROWS, copyDone()]]],
  },
  {
    name: 'copy: extended',
    steps: [
      [[parse('BEGIN'), bind(), execute(), sync()]],
      [[parse(FROM), bind(), execute(), flush()], 'G'],
      [[...ROWS, copyDone(), sync()]],
      [[parse('COPY (SELECT * FROM items ORDER BY id) TO STDOUT'), bind(), execute(), sync()]],
      [[query('ROLLBACK')]],
    ],
  },
  {
    name: 'copy: extended, without waiting',
    steps: [
      [[query('BEGIN')]],
      [[parse(FROM), bind(), execute(), ...ROWS, copyDone(), sync(), ...PING, sync()], 'Z', 2],
      [[query('ROLLBACK')]],
    ],
  },
  {
    name: 'copy: extended, with a Sync that drivers send at once',
    steps: [
      [[query('BEGIN')]],
      [[parse(FROM), bind(), execute(), sync()], 'G'],
      [[...ROWS, copyDone(), sync()]],
      [[query('ROLLBACK')]],
    ],
  },
  {
    name: 'copy: extended, given up and with wrong data',
    steps: [
      [[parse(FROM), bind(), execute(), flush()], 'G'],
      [[...ROWS, copyFail('enough'), sync()]],
      [[parse(FROM), bind(), execute(), flush()], 'G'],
      [[copyData('x\n'), copyData('y\n'), copyDone(), sync()]],
      [[query('SELECT count(*) FROM items')]],
    ],
  },
]

const unknown = { '_pq_.no_such_option': '1', '_pq_.nor_this': '' }

const beginnings: Exchange[] = [
  { name: 'startup: 3.2', version: 0x0003_0002, steps: [[[query('SELECT 1')]]] },
  { name: 'startup: a minor version to come', version: 0x0003_0009, steps: [[[query('SELECT 1')]]] },
  { name: 'startup: options to come', version: 0x0003_0002, parameters: unknown, steps: [[[query('SELECT 1')]]] },
  { name: 'startup: options to come, with 3.0', parameters: unknown, steps: [[[query('SELECT 1')]]] },
  { name: 'startup: version 2', version: 0x0002_0000, noLogin: true, steps: [[[], 'end']] },
  { name: 'startup: version 4', version: 0x0004_0000, noLogin: true, steps: [[[], 'end']] },
  {
    name: 'startup: settings',
    parameters: { options: '-c DateStyle=German', application_name: 'me' },
    steps: [[[query('SHOW DateStyle')]]],
  },
  { name: 'startup: no such database', parameters: { database: 'none' }, noLogin: true, steps: [[[], 'end']] },
  { name: 'startup: no such user', parameters: { user: 'nobody' }, noLogin: true, steps: [[[], 'end']] },
  { name: 'startup: TLS is refused', before: [sslRequest()], steps: [[[query('SELECT 1')]]] },
  {
    name: 'startup: GSS, then TLS is refused',
    before: [gssEncRequest(), sslRequest()],
    steps: [[[query('SELECT 1')]]],
  },
  { name: 'startup: a second StartupMessage', leavesUnread: true, steps: [[[startup({ user: 'postgres' })], 'end']] },
  { name: 'startup: all at once', noLogin: true, steps: [[[query('SELECT 1'), ...PING, sync(), terminate()], 'end']] },
  { name: 'end: by FIN alone', steps: [[[query('SELECT 1')]]], last: Buffer.alloc(0) },
  { name: 'end: in the middle of a message', steps: [[[query('SELECT 1')]]], last: query('SELECT 2').subarray(0, 9) },
  { name: 'end: in the middle of a transaction', steps: [[[query('BEGIN; SELECT 1')]]] },
  { name: 'end: by the server', steps: [[[query('SELECT pg_terminate_backend(pg_backend_pid())')], 'end']] },
  { name: 'end: by an unknown message', steps: [[[message('!', Buffer.from('what'))], 'end']] },
  {
    name: 'replication: questions',
    parameters: { replication: 'database' },
    steps: [
      [[query('IDENTIFY_SYSTEM')]],
      [[query('SHOW wal_segment_size')]],
      [[query('SELECT 1')]],
      [[query('NO_SUCH_COMMAND')]],
    ],
    differs: /[0-9A-F]+\/[0-9A-F]+/,
  },
]

export const exchanges: readonly Exchange[] = [...simple, ...extendedOnes, ...copies, ...beginnings]

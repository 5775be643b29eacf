// What PostgreSQL 18 says when something fails there: the words that injected errors take. Seen on a real server, 18.4,
// with its line numbers; those without a line could not be provoked and follow its source.
import type { PgErrorFields } from './error-fields.ts'

/** An error with `{table}` and other names in braces to be filled in. */
export interface ErrorTemplate extends Omit<PgErrorFields, 'file' | 'line' | 'routine'> {
  /** Where in the server's source: `file:line routine`, or `file routine`. */
  readonly origin: string
}

type Words = Omit<Partial<ErrorTemplate>, 'code' | 'message' | 'origin'>

function error(code: string, message: string, origin: string, words: Words = {}): ErrorTemplate {
  return { severity: 'ERROR', code, message, origin, ...words }
}

function fatal(code: string, message: string, origin: string, words: Words = {}): ErrorTemplate {
  return error(code, message, origin, { severity: 'FATAL', ...words })
}

const inTable: Words = { schema: 'public', table: '{table}' }
const reconnectHint = 'In a moment you should be able to reconnect to the database and repeat your command.'
const deadlock =
  'Process 2101 waits for ShareLock on transaction 782; blocked by process 2102.\n' +
  'Process 2102 waits for ShareLock on transaction 781; blocked by process 2101.'
const crash =
  'The postmaster has commanded this server process to roll back the current transaction and exit, because another ' +
  'server process exited abnormally and possibly corrupted shared memory.'

/** The error that a code most often stands for. */
export const usualErrors: readonly ErrorTemplate[] = [
  fatal('08006', 'connection to client lost', 'postgres.c ProcessInterrupts'),
  error('08P01', 'invalid message format', 'pqformat.c:640 pq_getmsgend'),
  error('0A000', 'cached plan must not change result type', 'plancache.c:860 RevalidateCachedQuery'),
  error(
    '21000',
    'more than one row returned by a subquery used as an expression',
    'nodeSubplan.c:1166 ExecSetParamPlan',
  ),
  error('22001', 'value too long for type character varying(3)', 'varchar.c:640 varchar'),
  error('22003', 'integer out of range', 'int.c:829 int4pl'),
  error('22007', 'invalid input syntax for type date: "x"', 'datetime.c:4265 DateTimeParseError'),
  error('22008', 'date/time field value out of range: "2020-13-45"', 'datetime.c:4232 DateTimeParseError', {
    hint: 'Perhaps you need a different "DateStyle" setting.',
  }),
  error('22012', 'division by zero', 'int.c:872 int4div'),
  error('22021', 'invalid byte sequence for encoding "UTF8": 0xff', 'mbutils.c:1853 report_invalid_encoding_int'),
  error('22P02', 'invalid input syntax for type integer: "x"', 'numutils.c:618 pg_strtoint32_safe'),
  error(
    '23502',
    'null value in column "id" of relation "{table}" violates not-null constraint',
    'execMain.c:2219 ReportNotNullViolationError',
    { detail: 'Failing row contains (null, 1).', ...inTable, column: 'id' },
  ),
  error(
    '23503',
    'insert or update on table "{table}" violates foreign key constraint "{table}_parent_id_fkey"',
    'ri_triggers.c:2783 ri_ReportViolation',
    {
      detail: 'Key (parent_id)=(1) is not present in table "parents".',
      ...inTable,
      constraint: '{table}_parent_id_fkey',
    },
  ),
  error('23505', 'duplicate key value violates unique constraint "{table}_pkey"', 'nbtinsert.c:673 _bt_check_unique', {
    detail: 'Key (id)=(1) already exists.',
    ...inTable,
    constraint: '{table}_pkey',
  }),
  error(
    '23514',
    'new row for relation "{table}" violates check constraint "{table}_amount_check"',
    'execMain.c:2081 ExecConstraints',
    { detail: 'Failing row contains (1, -1).', ...inTable, constraint: '{table}_amount_check' },
  ),
  error(
    '23P01',
    'conflicting key value violates exclusion constraint "{table}_period_excl"',
    'execIndexing.c:937 check_exclusion_or_unique_constraint',
    {
      detail: 'Key (period)=([2,3)) conflicts with existing key (period)=([1,5)).',
      ...inTable,
      constraint: '{table}_period_excl',
    },
  ),
  error('25001', '{command} cannot run inside a transaction block', 'xact.c:3658 PreventInTransactionBlock'),
  error('25006', 'cannot execute {command} in a read-only transaction', 'utility.c:411 PreventCommandIfReadOnly'),
  error('25P01', '{command} can only be used in transaction blocks', 'xact.c:3749 CheckTransactionBlock'),
  error(
    '25P02',
    'current transaction is aborted, commands ignored until end of transaction block',
    'postgres.c:1140 exec_simple_query',
  ),
  fatal('25P03', 'terminating connection due to idle-in-transaction timeout', 'postgres.c:3487 ProcessInterrupts'),
  fatal('25P04', 'terminating connection due to transaction timeout', 'postgres.c:3500 ProcessInterrupts'),
  error('26000', 'prepared statement "{prepared}" does not exist', 'prepare.c:454 FetchPreparedStatement'),
  fatal('28000', 'role "{user}" is not permitted to log in', 'miscinit.c:859 InitializeSessionUserId'),
  fatal('28P01', 'password authentication failed for user "{user}"', 'auth.c:320 auth_failed'),
  error('34000', 'portal "{portal}" does not exist', 'postgres.c:2138 exec_execute_message'),
  error('3B001', 'savepoint "s" does not exist', 'xact.c:4595 RollbackToSavepoint'),
  fatal('3D000', 'database "{database}" does not exist', 'postinit.c:1016 InitPostgres'),
  error('3F000', 'schema "s" does not exist', 'namespace.c:3547 get_namespace_oid'),
  error('40001', 'could not serialize access due to concurrent update', 'nodeModifyTable.c:2585 ExecUpdate'),
  error('40P01', 'deadlock detected', 'deadlock.c:1138 DeadLockReport', {
    detail: deadlock,
    hint: 'See server log for query details.',
    where: 'while updating tuple (0,1) in relation "{table}"',
  }),
  error('42501', 'permission denied for table {table}', 'aclchk.c:2795 aclcheck_error'),
  error('42601', 'syntax error at end of input', 'scan.l:1232 scanner_yyerror'),
  error('42702', 'column reference "id" is ambiguous', 'parse_relation.c:932 colNameToVar'),
  error('42703', 'column "id" does not exist', 'parse_relation.c:3827 errorMissingColumn'),
  error('42704', 'type "t" does not exist', 'parse_type.c:274 typenameType'),
  error('42883', 'function f(integer) does not exist', 'parse_func.c:636 ParseFuncOrColumn', {
    hint: 'No function matches the given name and argument types. You might need to add explicit type casts.',
  }),
  error('42P01', 'relation "{table}" does not exist', 'parse_relation.c:1469 parserOpenTable'),
  error('42P03', 'cursor "{portal}" already exists', 'portalmem.c:187 CreatePortal'),
  error('42P05', 'prepared statement "{prepared}" already exists', 'prepare.c:415 StorePreparedStatement'),
  error('42P07', 'relation "{table}" already exists', 'heap.c:1193 heap_create_with_catalog'),
  error('53100', 'could not extend file "base/16384/16397": No space left on device', 'md.c:519 mdextend', {
    hint: 'Check free disk space.',
  }),
  error('53200', 'out of memory', 'mcxt.c:1167 MemoryContextAllocationFailure', {
    detail: 'Failed on request of size 268435456 in memory context "ExprContext".',
  }),
  fatal('53300', 'sorry, too many clients already', 'proc.c:457 InitProcess'),
  error('53400', 'temporary file size exceeds "temp_file_limit" (0kB)', 'fd.c:2290 FileWriteV'),
  error('54001', 'stack depth limit exceeded', 'stack_depth.c:104 check_stack_depth', {
    hint:
      'Increase the configuration parameter "max_stack_depth" (currently 2048kB), after ensuring the platform\'s stack ' +
      'depth limit is adequate.',
  }),
  fatal('55000', 'database "{database}" is not currently accepting connections', 'postinit.c:365 CheckMyDatabase'),
  error('55006', 'database "{database}" is being accessed by other users', 'dbcommands.c:1795 dropdb', {
    detail: 'There is 1 other session using the database.',
  }),
  error('55P03', 'could not obtain lock on row in relation "{table}"', 'heapam.c:5032 heap_lock_tuple'),
  error('57014', 'canceling statement due to user request', 'postgres.c:3466 ProcessInterrupts'),
  fatal('57P01', 'terminating connection due to administrator command', 'postgres.c:3356 ProcessInterrupts'),
  error(
    '57P02',
    'terminating connection because of crash of another server process',
    'postgres.c:2995 quickdie',
    // A notice: the connection is closed behind it without an error.
    { severity: 'WARNING', detail: crash, hint: reconnectHint },
  ),
  fatal('57P03', 'the database system is starting up', 'backend_startup.c:309 BackendInitialize'),
  fatal(
    '57P04',
    'terminating connection due to conflict with recovery',
    'postgres.c ProcessRecoveryConflictInterrupt',
    { detail: 'User was connected to a database that must be dropped.', hint: reconnectHint },
  ),
  fatal('57P05', 'terminating connection due to idle-session timeout', 'postgres.c:3513 ProcessInterrupts'),
  error('58030', 'could not read blocks 0..0 in file "base/16384/16397": Input/output error', 'md.c md_readv_report'),
  error('58P01', 'could not access file "l": No such file or directory', 'dfmgr.c:215 internal_load_library'),
  error('P0001', 'raised', 'pl_exec.c:3923 exec_stmt_raise', {
    where: 'PL/pgSQL function inline_code_block line 1 at RAISE',
  }),
  error('P0002', 'query returned no rows', 'pl_exec.c:4387 exec_stmt_execsql', {
    where: 'PL/pgSQL function inline_code_block line 1 at SQL statement',
  }),
  error('P0003', 'query returned more than one row', 'pl_exec.c:4410 exec_stmt_execsql', {
    hint: 'Make sure the query returns a single row, or use LIMIT 1.',
    where: 'PL/pgSQL function inline_code_block line 1 at SQL statement',
  }),
  error('P0004', 'assertion failed', 'pl_exec.c:3968 exec_stmt_assert', {
    where: 'PL/pgSQL function inline_code_block line 1 at ASSERT',
  }),
  error('XX000', 'tuple concurrently updated', 'heapam.c:4509 simple_heap_update'),
  error('XX001', 'invalid page in block 0 of relation "base/16384/16397"', 'bufmgr.c:7368 buffer_readv_report'),
]

/** Other errors that have the same codes, by names of ours. */
export const errorVariants = {
  /** 40001 of REPEATABLE READ: the row is gone. */
  concurrent_delete: error(
    '40001',
    'could not serialize access due to concurrent delete',
    'nodeModifyTable.c:2676 ExecUpdate',
  ),
  /** 40001 of SERIALIZABLE, as COMMIT reports it. */
  read_write_dependencies: error(
    '40001',
    'could not serialize access due to read/write dependencies among transactions',
    'predicate.c:4727 PreCommit_CheckForSerializationFailure',
    {
      detail: 'Reason code: Canceled on identification as a pivot, during commit attempt.',
      hint: 'The transaction might succeed if retried.',
    },
  ),
  /** 40001 of a query on a standby. */
  recovery_conflict: error(
    '40001',
    'canceling statement due to conflict with recovery',
    'postgres.c ProcessRecoveryConflictInterrupt',
    { detail: 'User query might have needed to see row versions that must be removed.' },
  ),
  /** 26000 by Bind, of the statement without a name. */
  unnamed_statement: error('26000', 'unnamed prepared statement does not exist', 'postgres.c:1672 exec_bind_message'),
  /** 34000 by FETCH. */
  cursor: error('34000', 'cursor "{portal}" does not exist', 'portalcmds.c:199 PerformPortalFetch'),
  statement_timeout: error(
    '57014',
    'canceling statement due to statement timeout',
    'postgres.c:3446 ProcessInterrupts',
  ),
  lock_timeout: error('55P03', 'canceling statement due to lock timeout', 'postgres.c:3439 ProcessInterrupts', {
    where: 'while updating tuple (0,1) in relation "{table}"',
  }),
  /** 55P03 by LOCK TABLE … NOWAIT. */
  table_lock: error('55P03', 'could not obtain lock on relation "{table}"', 'namespace.c:606 RangeVarGetRelidExtended'),
  /** 57P01 as a notice: the connection is closed behind it without an error. */
  immediate_shutdown: error(
    '57P01',
    'terminating connection due to immediate shutdown command',
    'postgres.c:3001 quickdie',
    { severity: 'WARNING' },
  ),
  shutting_down: fatal('57P03', 'the database system is shutting down', 'backend_startup.c:333 BackendInitialize'),
  in_recovery: fatal('57P03', 'the database system is in recovery mode', 'backend_startup.c BackendInitialize'),
  /** 57P03 of a standby that has not caught up. */
  not_yet_accepting: fatal(
    '57P03',
    'the database system is not yet accepting connections',
    'backend_startup.c BackendInitialize',
    { detail: 'Consistent recovery state has not been yet reached.' },
  ),
  /** 57P03 of a standby that nobody may read from. */
  not_accepting: fatal(
    '57P03',
    'the database system is not accepting connections',
    'backend_startup.c:316 BackendInitialize',
    { detail: 'Hot standby mode is disabled.' },
  ),
  /** 53300 while slots are left for others. */
  reserved_connections: fatal(
    '53300',
    'remaining connection slots are reserved for roles with privileges of the "pg_use_reserved_connections" role',
    'postinit.c:951 InitPostgres',
  ),
  role_connection_limit: fatal(
    '53300',
    'too many connections for role "{user}"',
    'miscinit.c:880 InitializeSessionUserId',
  ),
  database_connection_limit: fatal(
    '53300',
    'too many connections for database "{database}"',
    'postinit.c:399 CheckMyDatabase',
  ),
  /** 53200: too many locks. */
  out_of_shared_memory: error('53200', 'out of shared memory', 'lock.c:1080 LockAcquireExtended', {
    hint: 'You might need to increase "max_locks_per_transaction".',
  }),
} satisfies Readonly<Record<string, ErrorTemplate>>

/*
 * The workload of `make bench-placement`: memory whose heat is known and may move, which tells where its pages are.
 *
 * The memory is a ring of chunks of 2 MiB. The chunk's rank is its distance from where the heat begins: with
 * --hot-mib the first ranks are written in every pass and the others never; with --zipf rank r is written in every
 * (r + 1)th pass. The first --slow-mib are filled on the slow node and the rest on the fast one, then the
 * memory is under the default policy, so that anybody may move it. Writes, since soft-dirty bits do not show reads.
 *
 * SIGUSR1 starts the clock of --shift-s: every so often the heat begins --shift-mib further on. SIGUSR2 makes it the
 * oracle: it moves its own pages with move_pages(2), hottest slow chunk for coldest fast chunk, as long as that gains
 * anything. Every interval one line of JSON goes to stdout, with placements as move_pages(2) tells them:
 *
 *   {"monotonic_s":61.204,"hot_bytes_by_nid":{"0":134217728},"cold_bytes_by_nid":{"1":134217728},"heat_fast":1.0,
 *    "passes":812}
 *
 * heat_fast is the share of accesses that the fast node gets. As in testbed/workload/hotcold.c, a second process on the
 * same CPU empties the emulated TLB, without which accessed bits go stale.
 */
#define _GNU_SOURCE
#include <err.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define CHUNK (2UL << 20)
#define CHUNK_PAGES (CHUNK / PAGE)
#define FAST 0
#define SLOW 1
#define LOOK_AT 8 /* One page of so many is asked for, or the heat would pause for a third of each second. */
#define ORACLE_CHUNKS_A_PASS 16
#define ROOM_KIB (160UL << 10) /* What the oracle leaves free on the fast node, above the kernel's own watermarks. */
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_MF_MOVE 2

static unsigned char *memory;
static unsigned long chunks, hot_chunks, shift_chunks, begin;
static int zipf;
static volatile sig_atomic_t clock_runs, is_oracle;

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static unsigned char *at_rank(unsigned long rank)
{
	return memory + (begin + rank) % chunks * CHUNK;
}

static double heat(unsigned long rank)
{
	return zipf ? 1.0 / (rank + 1) : rank < hot_chunks;
}

static void fill(unsigned long first, unsigned long count, int nid)
{
	unsigned long nids = 1UL << nid;

	if (!count)
		return;
	syscall(SYS_mbind, memory + first * CHUNK, count * CHUNK, MPOL_PREFERRED, &nids, 64UL, 0);
	memset(memory + first * CHUNK, 1, count * CHUNK);
	syscall(SYS_mbind, memory + first * CHUNK, count * CHUNK, MPOL_DEFAULT, NULL, 0UL, 0);
}

/*
 * Returns how many of a chunk's pages are on a node, looking at every step-th one. Those that are there are moved to
 * another node unless that is negative.
 */
static unsigned long pages_on(unsigned char *chunk, int nid, int to, unsigned long step)
{
	static void *asked[CHUNK_PAGES], *there[CHUNK_PAGES];
	static int nids[CHUNK_PAGES], targets[CHUNK_PAGES];
	unsigned long count = 0;

	for (unsigned long i = 0; i < CHUNK_PAGES / step; i++)
		asked[i] = chunk + i * step * PAGE;
	if (syscall(SYS_move_pages, 0, CHUNK_PAGES / step, asked, NULL, nids, 0) < 0)
		return 0;
	for (unsigned long i = 0; i < CHUNK_PAGES / step; i++)
		if (nids[i] == nid) {
			targets[count] = to;
			there[count++] = asked[i];
		}
	if (to >= 0 && count)
		syscall(SYS_move_pages, 0, count, there, targets, nids, MPOL_MF_MOVE);
	return count * step;
}

static unsigned long fast_free_kib(void)
{
	unsigned long kib = 0;
	FILE *file = fopen("/sys/devices/system/node/node0/meminfo", "r");

	if (!file)
		return 0;
	for (char line[128]; fgets(line, sizeof(line), file);)
		if (sscanf(line, "Node 0 MemFree: %lu", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/* Swaps some chunks; returns whether there may be more to do. */
static int oracle_moves(void)
{
	unsigned long hot = 0, cold = chunks - 1;

	for (int moved = 0; moved < ORACLE_CHUNKS_A_PASS; moved++) {
		while (hot < cold && !pages_on(at_rank(hot), SLOW, -1, 1))
			hot++;
		while (cold > hot && !pages_on(at_rank(cold), FAST, -1, 1))
			cold--;
		if (heat(hot) <= heat(cold))
			return 0;
		if (fast_free_kib() < ROOM_KIB)
			pages_on(at_rank(cold), FAST, SLOW, 1);
		pages_on(at_rank(hot), SLOW, FAST, 1);
	}
	return 1;
}

static void print_line(unsigned long passes)
{
	unsigned long bytes[2][2] = { 0 };
	double all = 0, fast = 0;

	for (unsigned long rank = 0; rank < chunks; rank++) {
		unsigned long slow = pages_on(at_rank(rank), SLOW, -1, LOOK_AT) * PAGE;

		bytes[rank >= hot_chunks][SLOW] += slow;
		bytes[rank >= hot_chunks][FAST] += CHUNK - slow;
		all += heat(rank);
		fast += heat(rank) * (CHUNK - slow) / CHUNK;
	}
	printf("{\"monotonic_s\":%.3f,\"hot_bytes_by_nid\":{\"0\":%lu,\"1\":%lu},\"cold_bytes_by_nid\":{\"0\":%lu,\"1\":%lu},"
	       "\"heat_fast\":%.4f,\"passes\":%lu}\n",
	       now_s(), bytes[0][FAST], bytes[0][SLOW], bytes[1][FAST], bytes[1][SLOW], fast / all, passes);
	fflush(stdout);
}

static void touch(unsigned long pass)
{
	for (unsigned long rank = 0; rank < (zipf ? chunks : hot_chunks); rank++) {
		volatile unsigned char *chunk = at_rank(rank);

		if (zipf && pass % (rank + 1))
			continue;
		for (unsigned long offset = 0; offset < CHUNK; offset += PAGE)
			chunk[offset] = pass;
	}
}

static void on_signal(int number)
{
	clock_runs |= number == SIGUSR1;
	is_oracle |= number == SIGUSR2;
}

static void prepare(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		err(1, "CPU %d", cpu);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			usleep(2000);
	}
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "mib", required_argument, NULL, 'm' },       { "hot-mib", required_argument, NULL, 'h' },
		{ "slow-mib", required_argument, NULL, 's' },  { "shift-mib", required_argument, NULL, 'S' },
		{ "shift-s", required_argument, NULL, 'P' },   { "begin-mib", required_argument, NULL, 'b' },
		{ "zipf", no_argument, NULL, 'z' },            { NULL, 0, NULL, 0 },
	};
	unsigned long slow_chunks = 0, passes = 0;
	double shift_s = 0, next_print_s = 0, next_shift_s = 0;
	int oracle_wants = 0;

	for (int one; (one = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (one) {
		case 'm': chunks = atol(optarg) / 2; break;
		case 'h': hot_chunks = atol(optarg) / 2; break;
		case 's': slow_chunks = atol(optarg) / 2; break;
		case 'S': shift_chunks = atol(optarg) / 2; break;
		case 'P': shift_s = atof(optarg); break;
		case 'b': begin = atol(optarg) / 2; break;
		case 'z': zipf = 1; break;
		default: errx(2, "see the top of heat.c");
		}
	}
	if (!chunks || hot_chunks > chunks || slow_chunks > chunks)
		errx(2, "see the top of heat.c");
	prepare(1);
	memory = mmap(NULL, chunks * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	madvise(memory, chunks * CHUNK, MADV_NOHUGEPAGE);
	fill(slow_chunks, chunks - slow_chunks, FAST);
	fill(0, slow_chunks, SLOW);
	for (int seen = 0;; usleep(500)) {
		if (now_s() >= next_print_s) {
			print_line(passes);
			next_print_s = now_s() + 1;
		}
		if (clock_runs && shift_s && now_s() >= next_shift_s) {
			begin = next_shift_s ? (begin + shift_chunks) % chunks : begin;
			next_shift_s = (next_shift_s ? next_shift_s : now_s()) + shift_s;
			oracle_wants = 1;
		}
		oracle_wants |= is_oracle && !seen;
		seen |= is_oracle;
		if (is_oracle && oracle_wants)
			oracle_wants = oracle_moves();
		touch(passes++);
	}
}

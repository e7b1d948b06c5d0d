/*
 * A process with a hot and a cold set of pages, which tells where its pages are.
 *
 * Both sets are first placed on chosen NUMA nodes (MPOL_PREFERRED while they are filled, the default policy
 * afterwards, so that anybody may move them). Then one CPU reads one byte of every hot page, for ever, or with --write
 * writes it: soft-dirty bits show writes only. It rests in between, longer than that takes: kdamonds need a CPU, too. With
 * a long --rest-ms the hot set is only warm.
 * Every interval one line of JSON goes to stdout, with real placements as move_pages(2) tells them of every 4th hot and
 * every 16th cold page:
 *
 *   {"seconds":10,"monotonic_s":61.204,"hot_bytes_by_nid":{"0":134217728},"cold_bytes_by_nid":{"1":134217728},
 *    "touches":98304}
 *
 * on one line; monotonic_s is CLOCK_MONOTONIC, which other programs of the same machine can compare with theirs.
 *
 * DAMON sees an access by the page table's accessed bit and never flushes the TLB. QEMU's TCG has a huge
 * TLB and knows no PCID, so a page that is hot in the TLB looks cold. A second process, mostly asleep, on the
 * same CPU makes the guest switch address spaces, which empties it.
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

#define PAGE_BYTES 4096UL
#define MIB (1UL << 20)
#define MAX_NIDS 16
#define QUERY_PAGES 4096UL
#define HOT_ASKED 4UL
#define COLD_ASKED 16UL
#define SWITCH_EVERY_US 2000
#define REST_MS 20

/* From linux/mempolicy.h, which a static build without kernel headers does not have. */
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1

struct options {
	unsigned long hot_mib, cold_mib, rest_ms;
	int hot_nid, cold_nid;
	double interval_s, seconds;
	int cpu, write;
};

struct set {
	unsigned char *pages;
	unsigned long bytes;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void set_policy(struct set set, int mode, unsigned long nids)
{
	/* A kernel without NUMA has no mbind, and nothing to choose from either. */
	syscall(SYS_mbind, set.pages, set.bytes, mode, nids ? &nids : NULL, nids ? 64UL : 0UL, 0);
}

/* Maps a set, fills it on the node if there is room, and then lets go of the node. */
static struct set make_set(unsigned long mib, int nid)
{
	struct set set = { .bytes = mib * MIB };

	if (!mib)
		return set;
	set.pages = mmap(NULL, set.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (set.pages == MAP_FAILED)
		err(1, "mmap of %lu MiB", mib);
	madvise(set.pages, set.bytes, MADV_NOHUGEPAGE);
	set_policy(set, MPOL_PREFERRED, 1UL << nid);
	memset(set.pages, 1, set.bytes);
	set_policy(set, MPOL_DEFAULT, 0);
	return set;
}

/*
 * Prints {"nid":bytes,...}; pages that are nowhere (swapped out, just moving) are left out. One page of `every` is asked
 * for and stands for the others: a question takes a page table walk, which is most of a CPU where it is emulated.
 */
static void print_placement(struct set set, unsigned long every)
{
	static void *pages[QUERY_PAGES];
	static int nids[QUERY_PAGES];
	unsigned long bytes_by_nid[MAX_NIDS] = { 0 };
	const char *separator = "";

	unsigned long asked = set.bytes / PAGE_BYTES / every;

	for (unsigned long first = 0; first < asked; first += QUERY_PAGES) {
		unsigned long left = asked - first;
		unsigned long count = left < QUERY_PAGES ? left : QUERY_PAGES;

		for (unsigned long i = 0; i < count; i++)
			pages[i] = set.pages + (first + i) * every * PAGE_BYTES;
		if (syscall(SYS_move_pages, 0, count, pages, NULL, nids, 0) < 0)
			continue;
		for (unsigned long i = 0; i < count; i++)
			if (nids[i] >= 0 && nids[i] < MAX_NIDS)
				bytes_by_nid[nids[i]] += every * PAGE_BYTES;
	}
	putchar('{');
	for (int nid = 0; nid < MAX_NIDS; nid++) {
		if (bytes_by_nid[nid]) {
			printf("%s\"%d\":%lu", separator, nid, bytes_by_nid[nid]);
			separator = ",";
		}
	}
	putchar('}');
}

static void print_line(double seconds, struct set hot, struct set cold, unsigned long touches)
{
	printf("{\"seconds\":%.0f,\"monotonic_s\":%.3f,\"hot_bytes_by_nid\":", seconds, now_s());
	print_placement(hot, HOT_ASKED);
	printf(",\"cold_bytes_by_nid\":");
	print_placement(cold, COLD_ASKED);
	printf(",\"touches\":%lu}\n", touches);
	fflush(stdout);
}

static unsigned long touch_all(struct set set, int write)
{
	volatile unsigned char *pages = set.pages;

	for (unsigned long offset = 0; offset < set.bytes; offset += PAGE_BYTES) {
		if (write)
			pages[offset] = 2;
		else
			(void)pages[offset];
	}
	return set.bytes / PAGE_BYTES;
}

static void stay_on_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		err(1, "CPU %d", cpu);
}

/* The second process: see the top of the file. */
static void start_address_space_switcher(void)
{
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		usleep(SWITCH_EVERY_US);
}

static struct options parse(int argc, char **argv)
{
	struct options o = { .hot_mib = 128, .cold_mib = 128, .hot_nid = 1, .cold_nid = 0,
			     .interval_s = 5, .seconds = 1e9, .cpu = 0, .rest_ms = REST_MS };
	static const struct option known[] = {
		{ "hot-mib", required_argument, NULL, 'h' },  { "cold-mib", required_argument, NULL, 'c' },
		{ "hot-nid", required_argument, NULL, 'H' },  { "cold-nid", required_argument, NULL, 'C' },
		{ "interval-s", required_argument, NULL, 'i' }, { "seconds", required_argument, NULL, 's' },
		{ "cpu", required_argument, NULL, 'p' },      { "write", no_argument, NULL, 'w' },
		{ "rest-ms", required_argument, NULL, 'r' },  { NULL, 0, NULL, 0 },
	};

	for (int one; (one = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (one) {
		case 'h': o.hot_mib = strtoul(optarg, NULL, 10); break;
		case 'c': o.cold_mib = strtoul(optarg, NULL, 10); break;
		case 'H': o.hot_nid = atoi(optarg); break;
		case 'C': o.cold_nid = atoi(optarg); break;
		case 'i': o.interval_s = atof(optarg); break;
		case 's': o.seconds = atof(optarg); break;
		case 'p': o.cpu = atoi(optarg); break;
		case 'w': o.write = 1; break;
		case 'r': o.rest_ms = strtoul(optarg, NULL, 10); break;
		default:
			errx(2, "usage: hotcold [--hot-mib N] [--cold-mib N] [--hot-nid NID] [--cold-nid NID]"
				" [--interval-s S] [--seconds S] [--cpu CPU] [--write] [--rest-ms N]");
		}
	}
	return o;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	unsigned long touches = 0;

	stay_on_cpu(o.cpu);
	start_address_space_switcher();

	struct set cold = make_set(o.cold_mib, o.cold_nid);
	struct set hot = make_set(o.hot_mib, o.hot_nid);
	double start_s = now_s();

	for (double next_s = start_s; now_s() - start_s < o.seconds;) {
		if (now_s() >= next_s) {
			print_line(now_s() - start_s, hot, cold, touches);
			touches = 0;
			next_s += o.interval_s;
		}
		touches += touch_all(hot, o.write);
		usleep(o.rest_ms * 1000);
	}
	return 0;
}

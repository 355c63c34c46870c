/*
 * generate: realistic access logs on standard output, from a seed.
 *
 * The same seed, format and number of lines give the same bytes, on every
 * machine: all arithmetic is on integers.  With --rate the log is live: the
 * time in it is the wall clock, and all else still comes from the seed.
 *
 * Traffic is ordinary on purpose (no scanners, no torn lines), so that every
 * peer in the benchmark can count it exactly.  Hostile lines are the business
 * of the fuzz corpora and the golden tests.
 *
 * The truth (--truth) is written at the end, and only if every line in it has
 * been handed to write(2) as a whole.
 */

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Longest line: host 40, time 28, two paths with query 2 x 200, agent 300. */
#define MAX_LINE_BYTES 2048
#define OUT_BYTES (64 * 1024)

#define N_PATHS 4096
#define N_CLIENTS 20000
#define MAX_PATH_BYTES 96
#define MAX_HOST_BYTES 48

/* 2026-01-01 00:00:00 UTC, where logs without --rate begin. */
#define FIRST_SECOND 1767225600

/* Mean time between two requests, in a log without --rate: 50 a second. */
#define MAX_STEP_MS 40

enum log_format {
	FORMAT_COMMON,
	FORMAT_COMBINED,
	FORMAT_VHOST_COMBINED,
	FORMAT_NGINX_TIMED,
	FORMAT_APACHE_TIMED,
	FORMAT_NGINX_JSON,
};

static const char *const format_names[] = {
	[FORMAT_COMMON] = "common",
	[FORMAT_COMBINED] = "combined",
	[FORMAT_VHOST_COMBINED] = "vhost_combined",
	[FORMAT_NGINX_TIMED] = "nginx_timed",
	[FORMAT_APACHE_TIMED] = "apache_timed",
	[FORMAT_NGINX_JSON] = "nginx_json",
};

struct options {
	uint64_t n_lines; /* 0: for ever */
	uint64_t seed;
	uint64_t lines_per_second; /* 0: as fast as possible */
	enum log_format format;
	const char *truth_path; /* NULL: none */
};

/* Bytes on their way to standard output. */
struct out {
	size_t used;
	char data[OUT_BYTES];
};

/* SplitMix64 (Steele, Lea, Flood: Fast Splittable PRNGs, OOPSLA 2014). */
struct rng {
	uint64_t state;
};

struct weighted {
	unsigned weight;
	const char *text;
};

/* A Zipf-like choice of n ranks: sums[i] is the weight of ranks 0..i. */
struct zipf {
	size_t n;
	uint64_t *sums;
};

struct path {
	char text[MAX_PATH_BYTES];
	uint64_t bytes; /* size of the answer, a median for a dynamic one */
	bool dynamic;
};

struct client {
	char host[MAX_HOST_BYTES];
	const char *user;
	const char *user_agent;
};

struct site {
	struct path *paths;
	struct client *clients;
	struct zipf path_ranks;
	struct zipf client_ranks;
};

struct log_clock {
	uint64_t now_ms;
	uint64_t shown_second; /* the one that text shows */
	char text[32];
};

struct truth {
	uint64_t n_lines;
	uint64_t log_bytes;
	uint64_t request_time_us;
	uint64_t requests[1000];
	uint64_t bytes[1000];
};

/* One request, as the server would log it. */
struct request {
	const struct client *client;
	const struct path *path;
	const char *method;
	unsigned status;
	uint64_t bytes;
	uint64_t time_us;
};

static volatile sig_atomic_t stop_requested;

static const struct weighted statuses[] = {
	{ 850, "200" },
	{ 45, "304" },
	{ 35, "404" },
	{ 20, "301" },
	{ 15, "302" },
	{ 12, "206" },
	{ 8, "403" },
	{ 6, "499" },
	{ 5, "500" },
	{ 4, "502" },
};

static const struct weighted methods[] = {
	{ 84, "GET" },
	{ 10, "POST" },
	{ 3, "HEAD" },
	{ 1, "PUT" },
	{ 1, "DELETE" },
	{ 1, "OPTIONS" },
};

static const struct weighted protocols[] = {
	{ 60, "HTTP/1.1" },
	{ 38, "HTTP/2.0" },
	{ 2, "HTTP/1.0" },
};

static const struct weighted virtual_hosts[] = {
	{ 60, "www.example.org:443" },
	{ 20, "shop.example.org:443" },
	{ 15, "blog.example.org:443" },
	{ 5, "www.example.org:80" },
};

static const struct weighted users[] = {
	{ 980, "-" },
	{ 10, "alice" },
	{ 7, "bob" },
	{ 3, "john.doe" },
};

static const struct weighted outer_referers[] = {
	{ 50, "https://www.google.com/" },
	{ 15, "https://www.bing.com/" },
	{ 10, "https://duckduckgo.com/" },
	{ 10, "https://news.ycombinator.com/item?id=38291734" },
	{ 8, "https://t.co/8Yq2vXkLmN" },
	{ 7, "https://en.wikipedia.org/wiki/Web_server" },
};

static const struct weighted user_agents[] = {
	{ 240,
	    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
	    "(KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36" },
	{ 110,
	    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6_1 like Mac OS X) "
	    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
	    "Mobile/15E148 Safari/604.1" },
	{ 100,
	    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 "
	    "(KHTML, like Gecko) Chrome/130.0.0.0 Mobile "
	    "Safari/537.36" },
	{ 80,
	    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
	    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
	    "Safari/537.36" },
	{ 70,
	    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) "
	    "Gecko/20100101 Firefox/132.0" },
	{ 50,
	    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
	    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
	    "Safari/605.1.15" },
	{ 40,
	    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
	    "(KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 "
	    "Edg/130.0.0.0" },
	{ 30,
	    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
	    "Firefox/128.0" },
	{ 40,
	    "Mozilla/5.0 (compatible; Googlebot/2.1; "
	    "+http://www.google.com/bot.html)" },
	{ 30,
	    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
	    "bingbot/2.0; +http://www.bing.com/bingbot.htm) "
	    "Chrome/116.0.1938.76 Safari/537.36" },
	{ 25,
	    "Mozilla/5.0 (compatible; AhrefsBot/7.0; "
	    "+http://ahrefs.com/robot/)" },
	{ 20,
	    "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; "
	    "wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
	    "Chrome/129.0.6668.70 Mobile Safari/537.36 "
	    "[FB_IAB/FB4A;FBAV/484.0.0.63.83;]" },
	{ 20,
	    "Mozilla/5.0 (iPad; CPU OS 16_7_10 like Mac OS X) "
	    "AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0.6723.90 "
	    "Mobile/15E148 Safari/604.1" },
	{ 15,
	    "facebookexternalhit/1.1 "
	    "(+http://www.facebook.com/externalhit_uatext.php)" },
	{ 25, "curl/7.88.1" },
	{ 20, "python-requests/2.32.3" },
	{ 15, "Go-http-client/1.1" },
	{ 20, "kube-probe/1.29" },
	{ 20, "-" },
};

static const char *const words[] = {
	"access",
	"autumn",
	"basic",
	"blue",
	"bridge",
	"cable",
	"classic",
	"coffee",
	"cotton",
	"desk",
	"double",
	"easy",
	"field",
	"garden",
	"glass",
	"green",
	"guide",
	"harbour",
	"index",
	"island",
	"kitchen",
	"lamp",
	"linen",
	"market",
	"metal",
	"modern",
	"north",
	"office",
	"open",
	"paper",
	"pocket",
	"quiet",
	"river",
	"season",
	"silver",
	"small",
	"spring",
	"stone",
	"summer",
	"table",
	"travel",
	"winter",
};

/* ---- random numbers ---- */

static uint64_t
rng_next(struct rng *rng)
{
	uint64_t z;

	rng->state += 0x9e3779b97f4a7c15u;
	z = rng->state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. limit - 1; the bias is limit / 2^32. */
static uint32_t
rng_below(struct rng *rng, uint32_t limit)
{
	return (uint32_t)(((rng_next(rng) >> 32) * limit) >> 32);
}

/*
 * A value of a roughly log-normal distribution: 2 to the power of a sum of
 * four uniform numbers, with the mantissa linear between two powers.
 *
 * median          at least 1
 * spread_percent  100: one standard deviation is 0.58 octaves
 */
static uint64_t
rng_log_normal(struct rng *rng, uint64_t median, int spread_percent)
{
	uint64_t r = rng_next(rng);
	int64_t deviation = (int64_t)((r & 0xffff) + ((r >> 16) & 0xffff) +
				((r >> 32) & 0xffff) + (r >> 48)) -
	    2 * 0xffff;
	int64_t octaves = deviation * spread_percent / 100; /* times 2^16 */
	uint64_t magnitude;
	uint64_t factor;
	uint64_t value;

	assert(median > 0 && median < UINT32_MAX);
	magnitude = (uint64_t)(octaves < 0 ? -octaves : octaves);
	factor = (0x10000 + (magnitude & 0xffff)) << (magnitude >> 16);
	value = octaves < 0 ? (median << 16) / factor : (median * factor) >> 16;
	return value > 0 ? value : 1;
}

static const char *
choose(struct rng *rng, const struct weighted *choices, size_t n)
{
	unsigned total = 0;
	unsigned left;
	size_t i;

	for (i = 0; i < n; i++)
		total += choices[i].weight;
	left = rng_below(rng, total);
	for (i = 0; left >= choices[i].weight; i++)
		left -= choices[i].weight;
	return choices[i].text;
}

#define CHOOSE(rng, choices) choose(rng, choices, N_ELEMENTS(choices))

static const char *
choose_word(struct rng *rng)
{
	return words[rng_below(rng, N_ELEMENTS(words))];
}

/* Rank i weighs 1 / (i + flatness); returns 0 or -ENOMEM. */
static int
zipf_init(struct zipf *zipf, size_t n, unsigned flatness)
{
	uint64_t sum = 0;
	uint64_t *sums = calloc(n, sizeof(*sums));

	if (sums == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		sum += 100000000 / (i + flatness);
		sums[i] = sum;
	}
	assert(sum < UINT32_MAX);
	zipf->n = n;
	zipf->sums = sums;
	return 0;
}

static size_t
zipf_next(const struct zipf *zipf, struct rng *rng)
{
	uint64_t wanted = rng_below(rng, (uint32_t)zipf->sums[zipf->n - 1]);
	size_t low = 0;
	size_t high = zipf->n - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zipf->sums[middle] > wanted)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* ---- the site: its pages and its visitors ---- */

static void
path_init(struct path *path, struct rng *rng, size_t rank)
{
	char *text = path->text;
	const char *one = choose_word(rng);
	const char *two = choose_word(rng);
	uint32_t number = rng_below(rng, 100000);
	uint32_t hash = (uint32_t)(rng_next(rng) >> 32);

	path->dynamic = false;
	switch (rank == 0 ? 0 : 1 + rng_below(rng, 10)) {
	case 0:
		(void)snprintf(text, sizeof(path->text), "/");
		path->dynamic = true;
		path->bytes = rng_log_normal(rng, 12000, 50);
		break;
	case 1:
		(void)snprintf(text, sizeof(path->text),
		    "/assets/css/%s.%08" PRIx32 ".css", one, hash);
		path->bytes = rng_log_normal(rng, 18000, 200);
		break;
	case 2:
	case 3:
		(void)snprintf(text, sizeof(path->text),
		    "/assets/js/%s-%s.%08" PRIx32 ".min.js", one, two, hash);
		path->bytes = rng_log_normal(rng, 42000, 200);
		break;
	case 4:
	case 5:
		(void)snprintf(text, sizeof(path->text),
		    "/images/products/%" PRIu32 "/%s-%s-640x480.jpg", number,
		    one, two);
		path->bytes = rng_log_normal(rng, 55000, 250);
		break;
	case 6:
		(void)snprintf(text, sizeof(path->text),
		    "/api/v1/orders/%" PRIu32, number);
		path->dynamic = true;
		path->bytes = rng_log_normal(rng, 900, 150);
		break;
	case 7:
		(void)snprintf(text, sizeof(path->text), "/search/%s%%20%s",
		    one, two);
		path->dynamic = true;
		path->bytes = rng_log_normal(rng, 15000, 100);
		break;
	case 8:
		(void)snprintf(text, sizeof(path->text),
		    "/blog/20%02" PRIu32 "/%02" PRIu32 "/the-%s-%s/",
		    15 + number % 11, 1 + number % 12, one, two);
		path->dynamic = true;
		path->bytes = rng_log_normal(rng, 24000, 100);
		break;
	default:
		(void)snprintf(text, sizeof(path->text),
		    "/products/%s-%s-%" PRIu32, one, two, number);
		path->dynamic = true;
		path->bytes = rng_log_normal(rng, 20000, 100);
		break;
	}
}

/*
 * IPv6 comes from the documentation prefix (RFC 3849).  One number is drawn
 * for all parts of an address: C does not say in which order the arguments of
 * a call are evaluated.
 */
static void
client_init(struct client *client, struct rng *rng)
{
	uint64_t r = rng_next(rng);
	uint32_t first = 1 + (uint32_t)(r >> 48) % 223;

	if (first == 10 || first == 127)
		first++;
	if (rng_below(rng, 100) < 8)
		(void)snprintf(client->host, sizeof(client->host),
		    "2001:db8:%x:%x::%x", (unsigned)(r & 0xffff),
		    (unsigned)(r >> 16 & 0xffff), (unsigned)(r >> 32 & 0xffff));
	else
		(void)snprintf(client->host, sizeof(client->host),
		    "%u.%u.%u.%u", (unsigned)first, (unsigned)(r & 0xff),
		    (unsigned)(r >> 8 & 0xff),
		    1 + (unsigned)(r >> 16 & 0xffff) % 254);
	client->user = CHOOSE(rng, users);
	client->user_agent = CHOOSE(rng, user_agents);
}

static int
site_init(struct site *site, struct rng *rng)
{
	site->paths = calloc(N_PATHS, sizeof(*site->paths));
	if (site->paths == NULL)
		goto fail;
	site->clients = calloc(N_CLIENTS, sizeof(*site->clients));
	if (site->clients == NULL)
		goto free_paths;
	if (zipf_init(&site->path_ranks, N_PATHS, 4) < 0)
		goto free_clients;
	if (zipf_init(&site->client_ranks, N_CLIENTS, 20) < 0)
		goto free_path_ranks;
	for (size_t i = 0; i < N_PATHS; i++)
		path_init(&site->paths[i], rng, i);
	for (size_t i = 0; i < N_CLIENTS; i++)
		client_init(&site->clients[i], rng);
	return 0;

free_path_ranks:
	free(site->path_ranks.sums);
free_clients:
	free(site->clients);
free_paths:
	free(site->paths);
fail:
	return -ENOMEM;
}

static void
site_release(struct site *site)
{
	free(site->client_ranks.sums);
	free(site->path_ranks.sums);
	free(site->clients);
	free(site->paths);
}

/* ---- output ---- */

static void
out_put_bytes(struct out *out, const char *bytes, size_t n)
{
	assert(n <= sizeof(out->data) - out->used);
	memcpy(out->data + out->used, bytes, n);
	out->used += n;
}

static void
out_put(struct out *out, const char *text)
{
	out_put_bytes(out, text, strlen(text));
}

/* In decimal, with zeros in front up to min_digits. */
static void
out_put_number(struct out *out, uint64_t number, unsigned min_digits)
{
	size_t n = 1;

	for (uint64_t rest = number / 10; rest > 0 || n < min_digits; n++)
		rest /= 10;
	assert(n <= sizeof(out->data) - out->used);
	for (size_t i = n; i > 0; i--) {
		out->data[out->used + i - 1] = (char)('0' + number % 10);
		number /= 10;
	}
	out->used += n;
}

/* Seconds with three decimals, as nginx writes its times. */
static void
out_put_seconds(struct out *out, uint64_t us)
{
	out_put_number(out, us / 1000000, 1);
	out_put(out, ".");
	out_put_number(out, us / 1000 % 1000, 3);
}

/* Write all that waits; returns 0 or -errno. */
static int
out_flush(struct out *out)
{
	size_t done = 0;

	while (done < out->used) {
		ssize_t n = write(STDOUT_FILENO, out->data + done,
		    out->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	out->used = 0;
	return 0;
}

/* ---- time ---- */

/* Days to date: Hinnant, "chrono-compatible low-level date algorithms". */
static void
log_clock_render(struct log_clock *now, uint64_t second)
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	uint64_t days = second / 86400 + 719468; /* since 0000-03-01 */
	uint64_t era = days / 146097;
	uint64_t day_of_era = days % 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 +
				   day_of_era / 36524 - day_of_era / 146096) /
	    365;
	uint64_t day_of_year = day_of_era -
	    (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
	uint64_t day = day_of_year - (153 * month + 2) / 5 + 1;
	uint64_t year = era * 400 + year_of_era + (month >= 10 ? 1 : 0);

	(void)snprintf(now->text, sizeof(now->text),
	    "%02u/%s/%04u:%02u:%02u:%02u +0000", (unsigned)day % 100,
	    months[(month + 2) % 12], (unsigned)year % 10000,
	    (unsigned)(second / 3600 % 24), (unsigned)(second / 60 % 60),
	    (unsigned)(second % 60));
	now->shown_second = second;
}

/* Never goes back, whatever the wall clock does. */
static void
log_clock_advance(struct log_clock *now, struct rng *rng, bool live)
{
	uint32_t step_ms = rng_below(rng, MAX_STEP_MS + 1);

	if (live) {
		struct timespec wall;
		uint64_t wall_ms;

		(void)clock_gettime(CLOCK_REALTIME, &wall);
		wall_ms = (uint64_t)wall.tv_sec * 1000 +
		    (uint64_t)wall.tv_nsec / 1000000;
		if (wall_ms > now->now_ms)
			now->now_ms = wall_ms;
	} else {
		now->now_ms += step_ms;
	}
	if (now->now_ms / 1000 != now->shown_second)
		log_clock_render(now, now->now_ms / 1000);
}

/* Sleep until line number n is due; returns early on a signal. */
static void
wait_for_line(const struct timespec *start, uint64_t n, uint64_t rate)
{
	struct timespec due = *start;

	due.tv_sec += (time_t)(n / rate);
	due.tv_nsec += (long)(n % rate * 1000000000 / rate);
	if (due.tv_nsec >= 1000000000) {
		due.tv_nsec -= 1000000000;
		due.tv_sec++;
	}
	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

/* ---- lines ---- */

static void
request_next(struct request *request, const struct site *site, struct rng *rng)
{
	const char *status = CHOOSE(rng, statuses);
	const struct path *path;

	request->client = &site->clients[zipf_next(&site->client_ranks, rng)];
	path = &site->paths[zipf_next(&site->path_ranks, rng)];
	request->path = path;
	request->method = path->dynamic ? CHOOSE(rng, methods) : "GET";
	request->status = (unsigned)(status[0] - '0') * 100 +
	    (unsigned)(status[1] - '0') * 10 + (unsigned)(status[2] - '0');
	request->time_us = rng_log_normal(rng, path->dynamic ? 45000 : 350,
	    250);

	switch (request->status) {
	case 200:
		request->bytes = path->dynamic
		    ? rng_log_normal(rng, path->bytes, 60)
		    : path->bytes;
		break;
	case 206:
		request->bytes = 1 + rng_next(rng) % path->bytes;
		break;
	case 304:
	case 499:
		request->bytes = 0;
		break;
	case 301:
	case 302:
		request->bytes = 145 + rng_below(rng, 120);
		break;
	default:
		request->bytes = 157 + rng_below(rng, 400);
		break;
	}
	if (strcmp(request->method, "HEAD") == 0)
		request->bytes = 0;
}

static void
put_query(struct out *out, struct rng *rng)
{
	switch (rng_below(rng, 8)) {
	case 0:
		out_put(out, "?q=");
		out_put(out, choose_word(rng));
		out_put(out, "+");
		out_put(out, choose_word(rng));
		out_put(out, "&page=");
		out_put_number(out, 1 + rng_below(rng, 30), 1);
		break;
	case 1:
		out_put(out,
		    "?utm_source=newsletter&utm_medium=email"
		    "&utm_campaign=");
		out_put(out, choose_word(rng));
		break;
	case 2:
		out_put(out, "?id=");
		out_put_number(out, rng_below(rng, 1000000), 1);
		break;
	default:
		break;
	}
}

static void
put_referer(struct out *out, const struct site *site, struct rng *rng)
{
	uint32_t kind = rng_below(rng, 100);

	if (kind < 60) {
		out_put(out, "-");
	} else if (kind < 90) {
		out_put(out, "https://www.example.org");
		out_put(out,
		    site->paths[zipf_next(&site->path_ranks, rng)].text);
	} else {
		out_put(out, CHOOSE(rng, outer_referers));
	}
}

/* request, upstream connect and upstream response time; 502s try twice. */
static void
put_nginx_times(struct out *out, struct rng *rng, const struct request *request)
{
	uint64_t connect_us = 1000 * rng_below(rng, 3);
	uint64_t first_us = request->time_us / 3;

	out_put(out, " ");
	out_put_seconds(out, request->time_us);
	if (!request->path->dynamic) {
		out_put(out, " - -");
		return;
	}
	out_put(out, " ");
	out_put_seconds(out, connect_us);
	if (request->status == 502) {
		out_put(out, ", ");
		out_put_seconds(out, connect_us);
	}
	out_put(out, " ");
	if (request->status == 502) {
		out_put_seconds(out, first_us);
		out_put(out, ", ");
	} else {
		first_us = 0;
	}
	out_put_seconds(out, request->time_us - first_us);
}

static void
put_request_line(struct out *out, struct rng *rng,
    const struct request *request)
{
	out_put(out, request->method);
	out_put(out, " ");
	out_put(out, request->path->text);
	if (request->path->dynamic)
		put_query(out, rng);
	out_put(out, " ");
	out_put(out, CHOOSE(rng, protocols));
}

/* A line of nginx with escape=json; nothing in it needs an escape. */
static void
put_json_line(struct out *out, const struct site *site, struct rng *rng,
    const struct log_clock *now, const struct request *request)
{
	out_put(out, "{\"time_local\":\"");
	out_put(out, now->text);
	out_put(out, "\",\"remote_addr\":\"");
	out_put(out, request->client->host);
	out_put(out, "\",\"remote_user\":\"");
	out_put(out, request->client->user);
	out_put(out, "\",\"request\":\"");
	put_request_line(out, rng, request);
	out_put(out, "\",\"status\":\"");
	out_put_number(out, request->status, 3);
	out_put(out, "\",\"body_bytes_sent\":\"");
	out_put_number(out, request->bytes, 1);
	out_put(out, "\",\"request_time\":\"");
	out_put_seconds(out, request->time_us);
	out_put(out, "\",\"upstream_response_time\":\"");
	if (request->path->dynamic)
		out_put_seconds(out, request->time_us);
	out_put(out, "\",\"http_referer\":\"");
	put_referer(out, site, rng);
	out_put(out, "\",\"http_user_agent\":\"");
	out_put(out, request->client->user_agent);
	out_put(out, "\",\"host\":\"");
	out_put(out, CHOOSE(rng, virtual_hosts));
	out_put(out, "\"}\n");
}

/* Apache's %b writes no bytes as `-`; nginx and %O write 0. */
static bool
format_writes_dash(enum log_format format)
{
	return format == FORMAT_COMMON || format == FORMAT_APACHE_TIMED;
}

static void
put_line(struct out *out, const struct site *site, struct rng *rng,
    enum log_format format, const struct log_clock *now,
    const struct request *request)
{
	if (format == FORMAT_NGINX_JSON) {
		put_json_line(out, site, rng, now, request);
		return;
	}
	if (format == FORMAT_VHOST_COMBINED) {
		out_put(out, CHOOSE(rng, virtual_hosts));
		out_put(out, " ");
	}
	out_put(out, request->client->host);
	out_put(out, " - ");
	out_put(out, request->client->user);
	out_put(out, " [");
	out_put(out, now->text);
	out_put(out, "] \"");
	put_request_line(out, rng, request);
	out_put(out, "\" ");
	out_put_number(out, request->status, 3);
	out_put(out, " ");
	if (request->bytes == 0 && format_writes_dash(format))
		out_put(out, "-");
	else
		out_put_number(out, request->bytes, 1);
	if (format != FORMAT_COMMON) {
		out_put(out, " \"");
		put_referer(out, site, rng);
		out_put(out, "\" \"");
		out_put(out, request->client->user_agent);
		out_put(out, "\"");
	}
	if (format == FORMAT_NGINX_TIMED)
		put_nginx_times(out, rng, request);
	if (format == FORMAT_APACHE_TIMED) {
		out_put(out, " ");
		out_put_number(out, request->time_us, 1);
	}
	out_put(out, "\n");
}

/* What of the request's time the line shows, in microseconds. */
static uint64_t
shown_time_us(enum log_format format, const struct request *request)
{
	switch (format) {
	case FORMAT_NGINX_TIMED:
	case FORMAT_NGINX_JSON:
		return request->time_us / 1000 * 1000;
	case FORMAT_APACHE_TIMED:
		return request->time_us;
	case FORMAT_COMMON:
	case FORMAT_COMBINED:
	case FORMAT_VHOST_COMBINED:
		return 0;
	}
	return 0;
}

/* Returns 0, or -errno when standard output could not be written. */
static int
generate(const struct options *options, const struct site *site,
    struct rng *rng, struct out *out, struct truth *truth)
{
	bool live = options->lines_per_second > 0;
	struct log_clock now = { .now_ms = UINT64_C(1000) * FIRST_SECOND };
	struct timespec start;
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	while (!stop_requested &&
	    (options->n_lines == 0 || truth->n_lines < options->n_lines)) {
		struct request request;
		size_t before = out->used;

		if (live) {
			wait_for_line(&start, truth->n_lines,
			    options->lines_per_second);
			if (stop_requested)
				break;
		}
		log_clock_advance(&now, rng, live);
		request_next(&request, site, rng);
		put_line(out, site, rng, options->format, &now, &request);
		truth->n_lines++;
		truth->log_bytes += out->used - before;
		truth->requests[request.status]++;
		truth->bytes[request.status] += request.bytes;
		truth->request_time_us += shown_time_us(options->format,
		    &request);
		if (live || sizeof(out->data) - out->used < MAX_LINE_BYTES) {
			r = out_flush(out);
			if (r < 0)
				return r;
		}
	}
	return out_flush(out);
}

/* ---- truth ---- */

static void
print_by_status(FILE *file, const char *name, const uint64_t *values,
    const uint64_t *requests)
{
	const char *separator = "";

	(void)fprintf(file, "  \"%s\": {", name);
	for (size_t status = 0; status < 1000; status++) {
		if (requests[status] == 0)
			continue;
		(void)fprintf(file, "%s\"%03zu\": %" PRIu64, separator, status,
		    values[status]);
		separator = ", ";
	}
	(void)fprintf(file, "}");
}

/* Returns 0 or -errno. */
static int
write_truth(const char *path, const struct truth *truth)
{
	FILE *file = fopen(path, "we");
	bool failed;

	if (file == NULL)
		return -errno;
	(void)fprintf(file,
	    "{\n  \"lines\": %" PRIu64 ",\n  \"log_bytes\": %" PRIu64
	    ",\n  \"request_time_us\": %" PRIu64 ",\n",
	    truth->n_lines, truth->log_bytes, truth->request_time_us);
	print_by_status(file, "requests_by_status", truth->requests,
	    truth->requests);
	(void)fprintf(file, ",\n");
	print_by_status(file, "bytes_by_status", truth->bytes, truth->requests);
	(void)fprintf(file, "\n}\n");
	failed = ferror(file) != 0;
	if (fclose(file) != 0)
		failed = true;
	return failed ? -EIO : 0;
}

/* ---- command line ---- */

static void
request_stop(int signal_number)
{
	(void)signal_number;
	stop_requested = 1;
}

static int
parse_number(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (number > (UINT64_MAX - 9) / 10)
			return -EINVAL;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	*ret_number = number;
	return 0;
}

static int
parse_format(const char *text, enum log_format *ret_format)
{
	for (size_t i = 0; i < N_ELEMENTS(format_names); i++) {
		if (strcmp(text, format_names[i]) == 0) {
			*ret_format = (enum log_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void
print_usage(FILE *file)
{
	(void)fprintf(file,
	    "usage: generate --lines=N --seed=S [OPTION]...\n"
	    "  --lines=N       lines to write; 0: until SIGTERM\n"
	    "  --seed=S        the same seed gives the same log\n"
	    "  --rate=N        N lines a second, one write(2) each,\n"
	    "                  with the wall clock as their time\n"
	    "  --format=NAME   common, combined (the default),\n"
	    "                  vhost_combined, nginx_timed, apache_timed,\n"
	    "                  nginx_json\n"
	    "  --truth=FILE    at the end, write there what was counted\n");
}

/* Returns 0, 1 when help was asked for, or -EINVAL after a message. */
static int
parse_options(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{ "lines", required_argument, NULL, 'l' },
		{ "seed", required_argument, NULL, 's' },
		{ "rate", required_argument, NULL, 'r' },
		{ "format", required_argument, NULL, 'f' },
		{ "truth", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool lines_given = false;
	bool seed_given = false;
	int option;
	int r = 0;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'l':
			r = parse_number(optarg, &options->n_lines);
			lines_given = true;
			break;
		case 's':
			r = parse_number(optarg, &options->seed);
			seed_given = true;
			break;
		case 'r':
			r = parse_number(optarg, &options->lines_per_second);
			if (r == 0 &&
			    (options->lines_per_second == 0 ||
				options->lines_per_second > 1000000000))
				r = -EINVAL;
			break;
		case 'f':
			r = parse_format(optarg, &options->format);
			break;
		case 't':
			options->truth_path = optarg;
			break;
		case 'h':
			return 1;
		default:
			print_usage(stderr);
			return -EINVAL;
		}
		if (r < 0) {
			(void)fprintf(stderr,
			    "generate: cannot use \"%s\"; "
			    "see generate --help\n",
			    optarg);
			return r;
		}
	}
	if (optind != argc || !lines_given || !seed_given) {
		print_usage(stderr);
		return -EINVAL;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static struct out out;
	static struct truth truth;
	struct options options = { .format = FORMAT_COMBINED };
	struct sigaction on_stop = { .sa_handler = request_stop };
	struct sigaction on_pipe = { .sa_handler = SIG_IGN };
	struct site site;
	struct rng rng;
	int status = 1;
	int r;

	r = parse_options(&options, argc, argv);
	if (r > 0) {
		print_usage(stdout);
		return 0;
	}
	if (r < 0)
		return 2;

	(void)sigaction(SIGTERM, &on_stop, NULL);
	(void)sigaction(SIGINT, &on_stop, NULL);
	(void)sigaction(SIGPIPE, &on_pipe, NULL);

	rng.state = options.seed;
	r = site_init(&site, &rng);
	if (r < 0) {
		(void)fprintf(stderr, "generate: %s\n", strerror(-r));
		return 1;
	}
	r = generate(&options, &site, &rng, &out, &truth);
	if (r < 0) {
		(void)fprintf(stderr, "generate: standard output: %s\n",
		    strerror(-r));
		goto release_site;
	}
	if (options.truth_path != NULL) {
		r = write_truth(options.truth_path, &truth);
		if (r < 0) {
			(void)fprintf(stderr, "generate: %s: %s\n",
			    options.truth_path, strerror(-r));
			goto release_site;
		}
	}
	status = 0;

release_site:
	site_release(&site);
	return status;
}

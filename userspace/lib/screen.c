// SPDX-License-Identifier: GPL-2.0
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

/* Tables that are not drawn over may be as long as they like. */
#define NO_LIMIT	10000

static volatile sig_atomic_t signalled;
static struct termios saved_terminal;

static void end(int signal)
{
	(void)signal;
	signalled = 1;
}

/* Lines of the terminal; a serial line knows none and says 0. */
static int terminal_lines(void)
{
	const char *lines = getenv("LINES");
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row)
		return size.ws_row;
	return lines && atoi(lines) > 0 ? atoi(lines) : 24;
}

bool screen_is_terminal(void)
{
	return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
}

/* Keys come at once and unseen; the cursor hides. */
void screen_enter(struct screen *screen)
{
	const struct sigaction action = { .sa_handler = end };
	struct termios terminal;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (!screen->redraw)
		return;
	if (!tcgetattr(STDIN_FILENO, &saved_terminal)) {
		terminal = saved_terminal;
		terminal.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	}
	fputs("\033[?25l\033[2J", stdout);
}

void screen_leave(struct screen *screen)
{
	if (!screen->redraw)
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
	fputs("\033[?25h", stdout);
}

void screen_begin(struct screen *screen)
{
	screen->lines_left = screen->redraw ? terminal_lines() : NO_LIMIT;
	if (screen->redraw)
		fputs("\033[H", stdout);
}

/*
 * What the last table had right of it vanishes.  A serial line may be set up to
 * want the carriage return.
 */
void screen_end_line(struct screen *screen)
{
	fputs(screen->redraw ? "\033[K\r\n" : "\n", stdout);
	screen->lines_left--;
}

void screen_end(struct screen *screen)
{
	fputs(screen->redraw ? "\033[J" : "\n", stdout);
	fflush(stdout);
}

/* As poll(), and no signal is missed between a look at @signalled and the wait. */
static int wait_for_input(struct pollfd *input, bool any, double seconds)
{
	struct timespec time = {
		.tv_sec = seconds,
		.tv_nsec = (seconds - (time_t)seconds) * 1e9,
	};
	sigset_t ends, old;
	int ret = 0;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &old);
	if (!signalled)
		ret = ppoll(input, any, &time, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return ret;
}

bool screen_wait(struct screen *screen, double seconds)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char key;

	if (wait_for_input(&input, screen->redraw, seconds) > 0 &&
	    (read(STDIN_FILENO, &key, 1) != 1 || key == 'q'))
		screen->ended = true;
	/* Nobody sees what is printed: say so at once. */
	if (signalled || ferror(stdout))
		screen->ended = true;
	return !screen->ended;
}

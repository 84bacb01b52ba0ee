# shellcheck shell=bash
# The small commands: run, shell, demo, build, headers, clean.

# Options of run and shell, which set B_*; the rest goes to REST.
run_options() {
	REST=()
	while (($# > 0)); do
		case $1 in
		--icount) B_ICOUNT=1 B_MIPS=1000 ;;
		--numa) B_NUMA=1 ;;
		--one-thread) B_ONE_THREAD=1 ;;
		--qemu) B_QEMU=$(host_qemu_release) ;;
		--qemu=*) B_QEMU=${1#--qemu=} ;;
		--)
			shift
			REST=("$@")
			return
			;;
		--cpus | --mem | --mips | --append | --mitigations | --modules | --file | --timeout | --name)
			(($# > 1)) || die "$1 needs a value"
			run_option "$1" "$2"
			shift
			;;
		*) die "unknown option: $1 (./lab help lists them)" ;;
		esac
		shift
	done
}

run_option() {
	case $1 in
	--append) B_APPEND=$2 ;;
	--name) B_NAME=$2 ;;
	--file)
		[[ -r $2 ]] || die "cannot read $2"
		B_FILES+=("$2")
		;;
	--mitigations) boot_set_mitigations "$2" ;;
	--modules)
		B_MODULES=$2
		[[ $2 != none ]] || B_MODULES=
		;;
	*)
		[[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 needs a positive number, not '$2'"
		case $1 in
		--cpus) B_CPUS=$2 ;;
		--mem) B_MEM=$2 ;;
		--mips) B_MIPS=$2 ;;
		--timeout) B_TIMEOUT=$2 ;;
		esac
		;;
	esac
}

lab_run() {
	(($# >= 2)) || die "usage: ./lab run HOST KERNEL [OPTION...] -- CMD..."
	boot_defaults "$1" "$2"
	shift 2
	run_options "$@"
	((${#REST[@]} > 0)) || die "what shall run there? ./lab run HOST KERNEL -- CMD..."
	packages_need run
	build_all "$B_KERNEL" "$B_MODULES"
	boot_run "${REST[@]}"
}

lab_shell() {
	(($# >= 1)) || die "usage: ./lab shell HOST [KERNEL] [OPTION...]"
	local host=$1 kernel=6.12
	shift
	if [[ ${1:-} == [0-9]* || ${1:-} == debug ]]; then
		kernel=$1
		shift
	fi
	boot_defaults "$host" "$kernel"
	B_NAME=shell B_QEMU=$(host_qemu_release)
	run_options "$@"
	packages_need run
	build_all "$B_KERNEL" "$B_MODULES"
	boot_shell
}

lab_demo() {
	local host=${HOSTS[0]} kernel=6.12 vms=3 mem=96
	while (($# > 0)); do
		(($# > 1)) || die "$1 needs a value"
		case $1 in
		--host) host=$2 ;;
		--kernel) kernel=$2 ;;
		--vms) vms=$2 ;;
		--mem) mem=$2 ;;
		*) die "unknown option: $1 (./lab help lists them)" ;;
		esac
		shift 2
	done
	[[ $vms =~ ^[1-9][0-9]?$ ]] || die "--vms needs a number from 1 to 99, not '$vms'"
	[[ $mem =~ ^[1-9][0-9]{1,3}$ ]] || die "--mem needs 10 to 9999 MiB, not '$mem'"
	boot_defaults "$host" "$kernel"
	# kvmlitectl loads the modules; each QEMU needs some memory of its own.
	B_NAME=demo B_MODULES='' B_QEMU=$(host_qemu_release) B_MEM=$((vms * (mem + 64) + 512)) B_TIMEOUT=1800
	# Seconds that a busy machine does not shorten. Those of Bochs do not anyway, and
	# with more instructions its minute of KSM would last too long.
	[[ $H_EMULATOR == bochs ]] || B_MIPS=250
	boot_stretch
	packages_need run demo
	say "The demo: $vms guests in a $host host with Debian's kernel $kernel."
	build_all "$B_KERNEL" "$(modules_all)"
	boot_run fleet_demo.sh "$vms" "$mem" || return
	demo_results
}

# Plots are drawn here: the emulated host has no gnuplot.
demo_results() {
	[[ -z $B_LOST ]] || die "$B_LOST"
	rm -rf "$OUT/demo"
	cp -a "$B_DIR/files" "$OUT/demo" || return
	"$OUT/build/root/usr/bin/fleet" plot "$OUT/demo" || return
	say
	say "The samples (CSV), summaries, guests' consoles and plots are in $OUT/demo"
}

lab_build() {
	local series
	(($# > 0)) || set -- "${KERNELS[@]}"
	for series in "$@"; do
		kernel_exists "$series"
	done
	packages_need run
	for series in "$@"; do
		build_all "$series" "$(modules_present)"
		say "built for $K_RELEASE"
	done
}

lab_headers() {
	(($# == 1)) || die "usage: ./lab headers KERNEL"
	kernel_exists "$1"
	packages_need run
	kernel_use "$1"
	echo "$K_HEADERS"
}

lab_clean() {
	local folder folders=("$OUT")
	[[ $# == 0 || $* == --cache ]] || die "usage: ./lab clean [--cache]"
	[[ -z $DRY_RUN ]] || exit 0
	[[ ${1:-} != --cache ]] || folders+=("$CACHE")
	for folder in "${folders[@]}"; do
		folder_is_ours "$folder" || die "$folder is not made by the lab: nothing is removed"
	done
	for folder in "${folders[@]}"; do
		folder_remove "$folder" || die "could not remove all of $folder"
	done
}

# SPDX-License-Identifier: GPL-2.0
# bash completion for ksmctl

_ksmctl() {
	local cur prev words cword i command=
	local keys="run advisor_mode advisor_max_cpu pages_to_scan
		sleep_millisecs rest_millisecs scan_threads use_zero_pages merge_across_nodes
		max_page_sharing"
	_init_completion -n = || return

	for ((i = 1; i < cword; i++)); do
		if [[ ${words[i]} != -* ]]; then
			command=${words[i]}
			break
		fi
	done

	case $command in
	'')
		mapfile -t COMPREPLY < <(compgen -W "status top areas set scan
			run metrics --json --help --version" -- "$cur")
		;;
	status | areas)
		mapfile -t COMPREPLY < <(compgen -W "--json --help" -- "$cur")
		;;
	scan)
		mapfile -t COMPREPLY < <(compgen -W "--force --json --help" \
			-- "$cur")
		[[ $cur == -* ]] || _filedir
		;;
	metrics)
		case $prev in
		--output | -o) _filedir ;;
		*)
			mapfile -t COMPREPLY < <(compgen -W "--output --help" \
				-- "$cur")
			;;
		esac
		;;
	top)
		mapfile -t COMPREPLY < <(compgen -W "--delay --count --batch
			--json --help" -- "$cur")
		;;
	set)
		case $cur in
		run=*) keys="run=0 run=1 run=2" ;;
		advisor_mode=*)
			keys="advisor_mode=cpu-budget advisor_mode=none"
			;;
		use_zero_pages=* | merge_across_nodes=*)
			keys="${cur%%=*}=0 ${cur%%=*}=1"
			;;
		*=*) return ;;
		-*) keys="--json --help" ;;
		*)
			compopt -o nospace
			mapfile -t COMPREPLY < <(compgen -S = -W "$keys" \
				-- "$cur")
			return
			;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$cur")
		;;
	run)
		if [[ $prev == run && $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--private-domain
				--debug --help --" -- "$cur")
			return
		fi
		while [[ ${words[i + 1]} == -* && $((i + 1)) -lt $cword ]]; do
			((i++))
		done
		_command_offset $((i + 1))
		;;
	esac
} &&
	complete -F _ksmctl ksmctl

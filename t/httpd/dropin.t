# The module takes mod_ssl's place: under either name, or both, it answers to mod_ssl's names and its own and is there
# once; it refuses to be loaded beside mod_ssl; other modules' hooks keep their order; httpd's own tools work with it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run);
use SL::Httpd;

plan skip_all => 'this is about our module' if ($ENV{SL_TLS} || '') eq 'mod_ssl';

my $certs  = SL::Certs->new;
my $one    = $certs->server('one.test', type => 'ecdsa', issuer => 'intermediate');
my $module = SL::Httpd::module_path('securelayer');
my $theirs = SL::Httpd::module_path('mod_ssl');
my $host   = <<"CONF";
Listen 127.0.0.1:\${port_https}
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$one->{full}"
    SSLCertificateKeyFile "$one->{key}"
</VirtualHost>
CONF

# An httpd that loads the module by these names, in this order, among other modules.
sub loading {
    my ($names, %o) = @_;
    return SL::Httpd->new(tls => 'none', load => join('', map {"LoadModule $_ \"$module\"\n"} @$names) . ($o{load} || ''), name => "by @$names",
        modules => $o{modules} || [], defines => $o{defines} || []);
}

# ---- names ----

for my $names (['ssl_module'], ['securelayer_module'], ['securelayer_module', 'ssl_module'], ['ssl_module', 'securelayer_module']) {
    my $httpd = loading($names, modules => ['headers']);
    my $known = join '', map {
        my ($n, $name) = ($_, [qw(ssl_module mod_ssl.c securelayer_module mod_securelayer.c)]->[$_]);
        "<IfModule $name>\nHeader always set X-Known-$n yes\n</IfModule>\n<IfModule !$name>\nHeader always set X-Not-$n yes\n</IfModule>\n"
    } 0 .. 3;
    # LogLevel by each name: the last of two for the same module counts.
    $httpd->config($host . $known . "LogLevel warn\nLogLevel @{[$names->[0] =~ s/_module//r]}:debug\n"
            . "LogFormat \"%{SSL_PROTOCOL}x|%{SSL_PROTOCOL}x\" twice\nCustomLog logs/twice twice\n");
    my $t = $httpd->configtest;
    is($t->{status}, 0, "by @$names: httpd -t") or diag $t->{err};
    $httpd->start_ok or next;
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $r = $client->curl('https://one.test/');
    is($r->{code}, 200, '... it serves');
    is($r->{headers}{"x-known-$_"}, 'yes', '... <IfModule> holds: ' . (qw(ssl_module mod_ssl.c securelayer_module mod_securelayer.c))[$_]) for 0 .. 3;
    is(join(' ', grep {/^x-not/} keys %{ $r->{headers} }), '', '... and <IfModule !> does not');
    like($r->{headers}{server}, qr{^Apache/\S+ \(.*\) (?:\S+ )*OpenSSL/\d+\.\d+\.\d+\S*( |$)}, '... Server names OpenSSL');
    is(scalar(() = $r->{headers}{server} =~ m{OpenSSL/}g), 1, '... once');
    is($httpd->wait_for_log(qr/\[ssl:debug\].*SL0101: handshake complete/, 5) ? 'debug' : 'nothing', 'debug', '... LogLevel ' . $names->[0] =~ s/_module//r . ':debug works');
    my @complete = grep {/SL0101/} split /\n/, $httpd->error_log;
    is(scalar @complete, 1, '... and each handshake is logged once: hooks are registered once') or diag join "\n", @complete;
    my $listed = $httpd->configtest('-M')->{out};
    is(join(' ', sort $listed =~ /^ (ssl_module|securelayer_module) \(shared\)$/mg), join(' ', sort @$names), '... httpd -M lists what was loaded');
    if (!$httpd->{single}) {
        ok($httpd->restart, '... a graceful restart');
        is($client->curl('https://one.test/')->{code}, 200, '... serves again');
        ok($httpd->restart(graceful => 0), '... a restart');
        is($client->curl('https://one.test/')->{headers}{'x-known-1'}, 'yes', '... serves again, and is known as before');
    }
    $httpd->stop;
}

# A log level per virtual host and by each of the names.
for my $name (qw(ssl ssl_module mod_ssl.c securelayer_module securelayer)) {
    my $httpd = loading(['securelayer_module']);
    $httpd->config("LogLevel warn\n" . $host =~ s/(SSLEngine on\n)/$1LogLevel $name:debug\n/r);
    is($httpd->configtest->{status}, 0, "LogLevel $name:debug is understood") or diag $httpd->configtest->{err};
    last unless $httpd->start;
    SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/');
    ok($httpd->wait_for_log(qr/SL0101/, 5), '... and obeyed');
    $httpd->stop;
}

# ---- beside mod_ssl ----

SKIP: {
    skip 'mod_ssl is not there', 8 unless -e $theirs;
    for my $order ([$module, $theirs], [$theirs, $module]) {
        my $httpd = SL::Httpd->new(tls => 'none', load => join '', map { 'LoadModule ' . ($_ eq $theirs ? 'ssl_module' : 'securelayer_module') . " \"$_\"\n" } @$order);
        my $first = $order->[0] eq $theirs ? 'mod_ssl first' : 'mod_ssl second';
        $httpd->config($host);
        my $t = $httpd->configtest;
        isnt($t->{status}, 0, "beside mod_ssl, $first: httpd -t refuses");
        like($t->{err}, qr/SL0001: .*mod_ssl is loaded too.*remove the LoadModule line of mod_ssl\.so \(Debian: a2dismod ssl\)/, '... and says what to do');
        unlike($t->{err}, qr/Segmentation|core dumped/, '... unharmed');
        ok(!$httpd->start, '... so does a start');
        is($httpd->start_status, 1, '... with an exit status');
    }
}

# ---- order of hooks, and what httpd tells of the module ----

my %hook_order;    # tls -> hook -> [modules in order]
for my $tls ('mod_ssl', 'before', 'behind') {
    next if $tls eq 'mod_ssl' && (!-e $theirs || $ENV{SL_SAN});
    my @others = grep { SL::Httpd::has_module($_) } qw(http2 md proxy proxy_http info status socache_shmcb);
    my $httpd = $tls eq 'mod_ssl' ? SL::Httpd->new(tls => 'mod_ssl', modules => \@others)
        : $tls eq 'behind'        ? loading(['ssl_module'], modules => \@others)
        :                           SL::Httpd->new(tls => 'none', modules => \@others);
    if ($tls eq 'before') {
        # The module line in front of all others but the MPM's.
        my $lines = \&SL::Httpd::module_lines;
        no warnings 'redefine';
        local *SL::Httpd::module_lines = sub { my $text = $lines->(@_); return $text =~ s/^(LoadModule mpm_\S+ \S+\n)/$1LoadModule ssl_module "$module"\n/r };
        $httpd->config($host . "<Location /info>\nSetHandler server-info\n</Location>\n");
        $httpd->start_ok('the module is loaded before the others') or next;
    }
    else {
        $httpd->config($host . "<Location /info>\nSetHandler server-info\n</Location>\n");
        $httpd->start_ok($tls eq 'behind' ? 'the module is loaded behind the others' : 'mod_ssl') or next;
    }
    my $page = SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/info?hooks')->{body};
    while ($page =~ m{<strong>([\w .-]+):</strong>(.*?)</dt>}gs) {
        my ($hook, $list) = ($1, $2);
        $hook_order{$tls}{$hook} = [$list =~ m{<a href="\?[^"]*">([^<]+)</a>}g];
    }
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $info = $client->curl('https://one.test/info')->{body};
    like($info, qr/mod_ssl\.c/, '... mod_info lists it under the name other modules order themselves by');
    like($info, qr/SSLCertificateFile/, '... with its directives') if $tls ne 'mod_ssl';
    $httpd->stop;
}

# Modules that name "mod_ssl.c" in the order of their hooks must find ours where they find mod_ssl.
sub order { my ($tls, $hook) = @_; return join ' ', grep {/^mod_(?:ssl|http2|md|proxy|setenvif)\.c$/} @{ $hook_order{$tls}{$hook} || [] } }

# The order with each one of mod_ssl.c's places alone.
sub ours_once {
    my ($tls, $hook) = @_;
    my @all = split ' ', order($tls, $hook);
    return map { my $kept = $_; join ' ', map { $_ == $kept || $all[$_] ne 'mod_ssl.c' ? $all[$_] : () } 0 .. $#all } grep { $all[$_] eq 'mod_ssl.c' } 0 .. $#all;
}

is(scalar(grep { keys %{ $hook_order{$_} || {} } > 20 } qw(before behind)), 2, 'mod_info told the order of hooks');
for my $o (['Post Configuration', 'mod_http2', 'mod_proxy'], ['Process Connection', 'mod_http2'], ['Post-Read Request', 'mod_md', 'mod_setenvif']) {
    my ($hook, @others) = @$o;
    for my $ours (qw(before behind)) {
        my $order = order($ours, $hook);
        like($order, qr/mod_ssl\.c/, "$hook, loaded $ours the others: the module is there");
        like($order, $hook eq 'Post-Read Request' ? qr/mod_setenvif\.c.* mod_ssl\.c/ : qr/mod_ssl\.c.* $_\.c/, "... in its place towards $_")
            for grep { $order =~ /$_\.c/ && $_ ne 'mod_md' } @others;
    }
}
for my $hook (sort keys %{ $hook_order{mod_ssl} || {} }) {
    next unless order('mod_ssl', $hook) =~ /mod_ssl\.c .|. mod_ssl\.c/;
    next if order('behind', $hook) !~ /mod_ssl\.c/;
    # mod_ssl may register twice what we register once, and we what mod_ssl does not have: one of ours is in its place.
    my ($want) = ours_once('mod_ssl', $hook);
    my @have = ours_once('behind', $hook);
    ok(scalar(grep { $_ eq $want } @have), "$hook: the same order as with mod_ssl") or diag "$want\n@have";
}

# ---- httpd's tools, with a certificate that is not there ----

my $broken = loading(['ssl_module']);
$broken->config($host =~ s/\Q$one->{full}\E/gone.pem/r);
for my $o (['-S', qr/one\.test/], ['-M', qr/ ssl_module \(shared\)/], ['-L', qr/^SSLCertificateFile \(mod_ssl\.c\)$/m], ['-t -D DUMP_VHOSTS', qr/one\.test/],
    ['-t -D DUMP_RUN_CFG', qr/ServerRoot/], ['-V', qr/Server version/]) {
    my $r = $broken->configtest(split ' ', $o->[0]);
    is($r->{status}, 0, "httpd $o->[0] works without the certificate") or diag $r->{err};
    like($r->{out}, $o->[1], '... and tells what it is to tell');
}
my $whole = loading(['ssl_module'], modules => ['info']);
$whole->config($host);
my $dump = $whole->configtest('-t', '-D', 'DUMP_CONFIG');
is($dump->{status}, 0, 'httpd -t -D DUMP_CONFIG works') or diag $dump->{err};
like($dump->{out}, qr/SSLCertificateFile "?\Q$one->{full}\E/, '... and shows the directives');
is($whole->configtest('-t', '-D', 'DUMP_CERTS')->{out}, "Server certificates:\n  $one->{full}\n", 'httpd -t -D DUMP_CERTS shows the certificates');

my $ca = $certs->ca('client-ca');
my $hashed = $certs->hashed('cas', $ca);
my $hosts = loading(['ssl_module']);
$hosts->config("SSLCACertificateFile \"$ca\"\n$host" . $host =~ s/^Listen .*\n//r =~ s/(SSLEngine on\n)/$1SSLCACertificatePath "$hashed"\n/r);
is($hosts->configtest('-t', '-D', 'DUMP_CA_CERTS')->{out}, "Server CA certificates:\n  $ca\n  $hashed\n", 'httpd -t -D DUMP_CA_CERTS shows the CAs of all hosts, each once');
is($hosts->configtest('-t', '-D', 'DUMP_CA_CERTS', '-D', 'DUMP_CERTS')->{out},
    "Server certificates:\n  $one->{full}\n  $one->{full}\nServer CA certificates:\n  $ca\n  $hashed\n", '... also with DUMP_CERTS');
unlike($hosts->configtest('-t')->{out}, qr/Server|Policy/, 'httpd -t alone shows none');
# What is shown of a policy can be written into a configuration, and then is that policy.
my $policies = $hosts->configtest('-t', '-D', 'DUMP_SSL_POLICIES')->{out};
is(join(' ', $policies =~ /^Policy "(\w+)" \(.*\d{4}-\d\d-\d\d\):$/mg), 'modern intermediate old', 'httpd -t -D DUMP_SSL_POLICIES shows the policies');
for my $name (qw(modern intermediate old)) {
    my ($lines) = $policies =~ /^Policy "$name".*\n((?:.+\n)+)/m;
    like($lines // '', qr/^SSLProtocol .*TLSv1\.3\n(?:SSLCipherSuite ECDHE.*\n)?SSLCipherSuite TLSv1\.3 TLS_.*\nSSLOpenSSLConfCmd Groups .*X25519.*\nSSLHonorCipherOrder (?:on|off)\n\z/, "... $name");
    my $with = loading(['ssl_module']);
    $with->config(($lines // '') =~ s/X25519MLKEM768://r . $host);
    is($with->configtest->{status}, 0, '... as lines that httpd takes') or diag $with->configtest->{err};
}

# ---- mutexes ----

my $mutexes = loading(['ssl_module']);
$mutexes->config(join('', map {"Mutex file:\${root}/run $_\n"} qw(ssl-cache ssl-stapling ssl-stapling-refresh)) . $host);
is($mutexes->configtest->{status}, 0, 'the names of mod_ssl\'s mutexes are known') or diag $mutexes->configtest->{err};
like($mutexes->configtest('-t', '-D', 'DUMP_RUN_CFG')->{out}, qr/^Mutex ssl-stapling-refresh:/m, '... and listed');

# ---- the file ----

my $strings = run(['strings', '-a', $module])->{out};
my ($compiled) = run(['openssl', 'version'])->{out} =~ /^OpenSSL (\d+)\./;
like($strings, qr/^OpenSSL $compiled\.\d+\.\d+\S* +\d+ \w+ 20\d\d$/m, 'the module holds the text of the version of OpenSSL it was built with');
SKIP: {
    skip 'a build with sanitizers exports more', 1 if $ENV{SL_SAN};
    my @exported = run(['nm', '-D', '--defined-only', $module])->{out} =~ /^\S+ [A-TV-Z] (\S+)$/mg;
    is(join(' ', sort grep { !/^_(?:init|fini|edata|end|_bss_start)$/ } @exported), 'securelayer_module ssl_module', 'it exports its two names and nothing else');
}
done_testing;

import ca.uhn.fhir.batch2.api.IJobMaintenanceService;
import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.batch2.jobs.export.BulkDataExportProvider;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.config.HibernatePropertiesProvider;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.config.util.ResourceCountCacheUtil;
import ca.uhn.fhir.jpa.util.ResourceCountCache;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.packages.IPackageInstallerSvc;
import ca.uhn.fhir.jpa.packages.PackageInstallationSpec;
import ca.uhn.fhir.jpa.provider.DaoRegistryResourceSupportedSvc;
import ca.uhn.fhir.jpa.api.IDaoRegistry;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.provider.ValueSetOperationProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.rest.api.IResourceSupportedSvc;
import ca.uhn.fhir.rest.server.HardcodedServerAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import ca.uhn.fhir.jpa.validation.ValidationSettings;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;
import jakarta.persistence.EntityManagerFactory;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.h2.jdbcx.JdbcConnectionPool;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

/**
 * A HAPI FHIR R4 JPA server on loopback: port (0: any free one), JDBC URL of an H2 database, then FHIR packages
 * (name#version.tgz) to install. Prints "ready" and its base URL when it answers. Lives as long as its standard
 * input stays open: whoever started it needs no clean-up, even when it is killed itself.
 */
public final class Hapi {
  public static void main(String[] args) {
    exitWhenInputCloses();
    try {
      serve(args);
    } catch (Exception failed) {
      failed.printStackTrace();
      Throwable cause = failed;
      while (cause.getCause() != null) cause = cause.getCause();
      System.err.println("failed: " + cause);
      System.exit(1); // else threads already started would keep it alive
    }
  }

  private static void serve(String[] args) throws Exception {
    System.setProperty("hapi.jdbc", args[1]);
    AnnotationConfigApplicationContext spring = new AnnotationConfigApplicationContext(Config.class);
    IPackageInstallerSvc installer = spring.getBean(IPackageInstallerSvc.class);
    for (int i = 2; i < args.length; i++) {
      Path tgz = Path.of(args[i]);
      String[] nameAndVersion = tgz.getFileName().toString().replaceFirst("\\.tgz$", "").split("#");
      installer.install(new PackageInstallationSpec()
          .setName(nameAndVersion[0]).setVersion(nameAndVersion[1])
          .setPackageContents(Files.readAllBytes(tgz))
          .setInstallMode(PackageInstallationSpec.InstallModeEnum.STORE_AND_INSTALL));
    }
    RestfulServer fhir = new RestfulServer(spring.getBean(FhirContext.class));
    fhir.registerProviders(spring.getBean(ResourceProviderFactory.class).createProviders());
    fhir.registerProvider(spring.getBean(IJpaSystemProvider.class));
    fhir.registerProvider(spring.getBean(ValueSetOperationProvider.class));
    fhir.registerProvider(spring.getBean(BulkDataExportProvider.class));
    fhir.setPagingProvider(spring.getBean(DatabaseBackedPagingProvider.class));
    fhir.setServerConformanceProvider(new JpaCapabilityStatementProvider(fhir,
        spring.getBean("mySystemDaoR4", IFhirSystemDao.class), spring.getBean(JpaStorageSettings.class),
        spring.getBean(ISearchParamRegistry.class), spring.getBean(IValidationSupport.class)));

    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(Files.createTempDirectory("hapi").toString());
    tomcat.setHostname("127.0.0.1");
    tomcat.setPort(Integer.parseInt(args[0]));
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    tomcat.getConnector().setProperty("relaxedQueryChars", "|");
    Context context = tomcat.addContext("", null);
    Tomcat.addServlet(context, "fhir", fhir).setLoadOnStartup(1);
    context.addServletMappingDecoded("/fhir/*", "fhir");
    tomcat.init(); // binds the port, so that links can name it before the first request
    String base = "http://127.0.0.1:" + tomcat.getConnector().getLocalPort() + "/fhir";
    fhir.setServerAddressStrategy(new HardcodedServerAddressStrategy(base));
    tomcat.start();
    IJobMaintenanceService jobs = spring.getBean(IJobMaintenanceService.class);
    Executors.newSingleThreadScheduledExecutor().scheduleWithFixedDelay(jobs::runMaintenancePass, 1, 1, TimeUnit.SECONDS);
    System.out.println("ready " + base);
    tomcat.getServer().await();
  }

  private static void exitWhenInputCloses() {
    Thread watch = new Thread(() -> {
      try {
        System.in.transferTo(OutputStream.nullOutputStream());
      } catch (IOException closed) {
        // as good as its end
      }
      System.exit(0);
    }, "parent-watch");
    watch.setDaemon(true);
    watch.start();
  }

  @Configuration
  @Import({SubscriptionChannelConfig.class, JpaR4Config.class, ThreadPoolFactoryConfig.class, JpaBatch2Config.class, Batch2JobsConfig.class})
  static class Config {
    @Bean DataSource dataSource() {
      JdbcConnectionPool pool = JdbcConnectionPool.create(System.getProperty("hapi.jdbc"), "sa", "");
      pool.setMaxConnections(20);
      return pool;
    }
    @Bean JpaStorageSettings storage() {
      JpaStorageSettings s = new JpaStorageSettings();
      s.setEnforceReferentialIntegrityOnWrite(true);
      s.setAllowExternalReferences(false);
      s.setResourceServerIdStrategy(JpaStorageSettings.IdStrategyEnum.UUID);
      s.setMarkResourcesForReindexingUponSearchParameterChange(false);
      s.setAllowMultipleDelete(true);
      s.setDeleteExpungeEnabled(true);
      s.setHibernateSearchIndexFullText(false);
      s.setReuseCachedSearchResultsForMillis(null);
      return s;
    }
    @Bean @Primary ValidationSettings validation() {
      ValidationSettings v = new ValidationSettings();
      v.setLocalReferenceValidationDefaultPolicy(ReferenceValidationPolicy.CHECK_VALID);
      return v;
    }
    @Bean PartitionSettings partition() { return new PartitionSettings(); }
    @Bean SubscriptionSettings subscription() { return new SubscriptionSettings(); }
    @Bean DatabaseBackedPagingProvider paging() {
      DatabaseBackedPagingProvider p = new DatabaseBackedPagingProvider();
      p.setDefaultPageSize(20);
      p.setMaximumPageSize(200);
      return p;
    }
    @Bean(name = "myResourceCountsCache") ResourceCountCache counts(IFhirSystemDao<?, ?> dao) { return ResourceCountCacheUtil.newResourceCountCache(dao); }
    @Bean IResourceSupportedSvc supported(IDaoRegistry daos) { return new DaoRegistryResourceSupportedSvc(daos); }
    @Bean @Primary HibernatePropertiesProvider dialect(LocalContainerEntityManagerFactoryBean emf) {
      return new HibernatePropertiesProvider() {
        @Override public org.hibernate.dialect.Dialect getDialect() { return new HapiFhirH2Dialect(); }
        @Override public DataSource getDataSource() { return emf.getDataSource(); }
      };
    }
    @Bean @Primary LocalContainerEntityManagerFactoryBean entityManagerFactory(ConfigurableListableBeanFactory beans,
        DataSource data, FhirContext context, JpaStorageSettings settings) {
      LocalContainerEntityManagerFactoryBean emf =
          HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, context, settings);
      emf.setPersistenceUnitName("HAPI_PU");
      emf.setDataSource(data);
      Properties p = new Properties();
      p.put("hibernate.dialect", HapiFhirH2Dialect.class.getName());
      p.put("hibernate.hbm2ddl.auto", "update");
      p.put("hibernate.jdbc.batch_size", "20");
      p.put("hibernate.search.enabled", "false");
      p.put("hibernate.cache.use_query_cache", "false");
      p.put("hibernate.cache.use_second_level_cache", "false");
      emf.setJpaProperties(p);
      return emf;
    }
    @Bean @Primary JpaTransactionManager transactionManager(EntityManagerFactory emf) { return new JpaTransactionManager(emf); }
  }
}
